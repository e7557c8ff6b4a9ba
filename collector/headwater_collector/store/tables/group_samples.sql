-- What Kafka said of a group, poll by poll.
create table group_samples (
    sampled_at timestamp not null,
    cluster varchar,
    consumer_group varchar,
    state varchar,
    protocol varchar,
    members integer,
    assignment json
);
