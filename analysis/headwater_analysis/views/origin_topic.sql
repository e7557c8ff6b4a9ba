-- The topic that a retry or dead-letter topic stands for, by its name; any other stands for itself.
create macro origin_topic(of_topic) as
    regexp_replace(
        regexp_replace(
            regexp_replace(of_topic, '^(?:dlq[.-]|error\.|dead-letter-topic-)(.+)$', '\1'),
            '^(.+?)(?:__.+?__|-|\.|_)(?:dlt|DLT|dlq|DLQ|dead-?letters?)$', '\1'
        ),
        '^(.+?)(?:__.+?(?:__\d+)?__retry|-retry(?:-\d+(?:-\d+)?)?|_retry_\d+|\.retry\.\d+)$', '\1'
    );
