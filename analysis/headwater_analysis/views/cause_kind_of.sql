-- What makes a span part of its flow: the kind of its cause, else the send that it handles, else its parent.
create macro cause_kind_of(of_cause, of_send, of_parent) as case
    when of_cause = 'replay' then 'origin'
    when of_cause is not null then of_cause
    when of_send = of_parent then 'message'
    when of_parent is not null then 'parent'
end;
