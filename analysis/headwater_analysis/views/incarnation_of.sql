-- The life of a topic at a time; 1 where its lives are not known.
create macro incarnation_of(lives, of_cluster, of_topic, moment) as
    case when of_topic is not null then coalesce(
        list_max([
            life.incarnation for life in lives[of_topic]
            if life.since <= moment and coalesce(life.cluster = of_cluster, true)
        ]), 1)
    end;
