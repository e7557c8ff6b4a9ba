-- What can be asked: every documented relation and its columns, and macros, for prompts and schema browsers.
create view relation_columns as
select
    view_name as relation, null::varchar as column_name, null::varchar as data_type, comment, 0 as position
from duckdb_views() where not internal and comment is not null
union all
select table_name, null, null, comment, 0
from duckdb_tables() where not internal and comment is not null
union all
select function_name, null, null, any_value(comment), 0
from duckdb_functions()
where not internal and comment is not null and function_type in ('macro', 'table_macro')
group by function_name
union all
select table_name, column_name, data_type, comment, column_index
from duckdb_columns() where not internal and comment is not null;

comment on view relation_columns is
    'One row a relation or macro (column_name is NULL) and one a column of a relation, with what it means';
comment on column relation_columns.relation is 'name to ask from';
comment on column relation_columns.column_name is 'column; NULL for the relation itself';
comment on column relation_columns.data_type is 'type of the column';
comment on column relation_columns.comment is 'what it means';
comment on column relation_columns.position is 'order of the columns, from 1';
