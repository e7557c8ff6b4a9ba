"""Everything that `headwater demo` needs beside the collector: a broker, a shop, and faults."""
