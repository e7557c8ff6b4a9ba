-- One row a life of a topic name: a topic deleted and created again gets the next incarnation.
create table topic_lives (
    cluster varchar,
    topic varchar,
    incarnation integer,
    topic_id varchar,
    partitions integer,
    since timestamp
);
