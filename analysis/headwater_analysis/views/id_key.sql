-- An id of a trace as a number, by which parts of flows are looked up: read at a tenth of the text's cost. It takes the
-- half that is random in whatever makes ids; the id itself is always compared too, and what is no hexadecimal number
-- has the key 0.
create macro id_key(id) as coalesce(try_cast(concat('0x', right(id, 16)) as ubigint), 0::ubigint);
