%% Distributed send between two Erlang nodes. The sender waits where the other end is slow.
-module(peer_erlang).
-export([publish/0, subscribe/0]).

arg(Name) ->
    {ok, [[Value]]} = init:get_argument(Name),
    Value.

publish() ->
    io:format("address ~s~n", [node()]),
    _ = io:get_line(""),
    Subscriber = {counter, list_to_atom(arg(subscriber))},
    pong = net_adm:ping(list_to_atom(arg(subscriber))),
    Event = binary:copy(<<"x">>, list_to_integer(arg(bytes))),
    send(list_to_integer(arg(events)), Subscriber, Event),
    io:format("published~n"),
    _ = io:get_line(""),
    halt().

send(0, _, _) -> ok;
send(N, To, Event) ->
    To ! Event,
    send(N - 1, To, Event).

subscribe() ->
    Events = list_to_integer(arg(events)),
    register(counter, self()),
    io:format("ready~n"),
    First = receive <<"x", _/binary>> -> now_ns() end,
    count(Events - 1),
    io:format("done ~b ~b ~b~n", [First, now_ns(), Events]),
    _ = io:get_line(""),
    halt().

count(0) -> ok;
count(N) -> receive <<"x", _/binary>> -> count(N - 1) end.

now_ns() -> os:perf_counter(nanosecond).
