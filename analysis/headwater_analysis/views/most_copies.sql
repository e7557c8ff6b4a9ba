-- On how many messages of a topic an event's id may stand. On more it is no event's: somebody copies a header, or
-- writes a constant.
create macro most_copies() as 20;
