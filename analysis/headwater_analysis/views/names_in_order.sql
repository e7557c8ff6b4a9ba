-- Names of a list of (seen, name), each once, in the order in which they first appear.
create macro names_in_order(entries) as
    list_reduce(
        [[entry.name] for entry in list_sort(entries)],
        lambda names, one: case when list_contains(names, one[1]) then names else list_concat(names, one) end,
        []::varchar[]
    );
