-- Names of a list of (seen, name), each once, in the order in which they first appear. The list of one list gives
-- the sorted names a name of their own, so that they are sorted once.
create macro names_in_order(entries) as
    case
        when len(entries) = 1 then [entries[1].name]
        else list_transform(
            [list_transform(list_sort(entries), lambda entry: entry.name)],
            lambda names: list_filter(names, lambda name, place: list_position(names, name) = place)
        )[1]
    end;
