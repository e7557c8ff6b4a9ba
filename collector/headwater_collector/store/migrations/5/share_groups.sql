-- Share groups are listed from here on.
alter table cluster_rows add column share_groups varchar[];
