"""Wire bytes to Arrow columns without a Python object a span; compiled with numba, and checked against protobuf.

What is compiled here takes only spans that it understands in full. Every other one, odd or malformed, goes to the
protobuf path, one at a time: so there is one judge of what is wrong with a span, and only one.
"""
