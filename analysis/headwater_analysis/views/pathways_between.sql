-- The pathways of the flows that begin between two times, the first included; NULL is open.
create macro pathways_between(since, until) as table
from pathways_of('begun', since, until);

comment on macro table pathways_between is
    'pathways_between(since, until): the pathways of the flows that begin between two times, the first included; NULL means open. Columns as in pathways, counted over those flows';
