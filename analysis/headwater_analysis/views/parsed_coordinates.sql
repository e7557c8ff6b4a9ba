-- Coordinates as people write them: [cluster/]topic@partition:offset, topic/partition/offset or
-- topic:partition:offset; NULL for anything else.
create macro parsed_coordinates(written) as
    case
        when regexp_matches(written, '^([^/@]+/)?[^/@]+@[0-9]{1,9}:[0-9]{1,18}$')
            then regexp_extract(written, '^(?:([^/@]+)/)?([^/@]+)@([0-9]+):([0-9]+)$',
                ['cluster', 'topic', 'partition', 'message_offset'])
        when regexp_matches(written, '^[^/:]+[/:][0-9]{1,9}[/:][0-9]{1,18}$')
            then regexp_extract(written, '^()([^/:]+)[/:]([0-9]+)[/:]([0-9]+)$',
                ['cluster', 'topic', 'partition', 'message_offset'])
    end;
