#include "tests/support/wire_conversation.hpp"
#include "actors/interest.hpp"
#include "schemas/envelope_writer.hpp"
#include "schemas/membership_codec.hpp"
#include <limits>

namespace edupulse::test {

namespace {

namespace msg = membership_messages;
using namespace std::chrono_literals;

constexpr auto largest = std::numeric_limits<std::uint64_t>::max();
const node_id a = make_node_id(0x0a0a'0a0a'0a0a'4a0a, 0x8a0a'0a0a'0a0a'0a0a);
const node_id b = make_node_id(0x0b0b'0b0b'0b0b'4b0b, 0x8b0b'0b0b'0b0b'0b0b);
const node_id c = make_node_id(0xfcfc'fcfc'fcfc'4cfc, 0xbcfc'fcfc'fcfc'fcfc);

// -- hello ----------------------------------------------------------------------------------

hello_message hello(node_id who, bool bulk) {
  hello_message what;
  what.version_major = 1;
  what.version_minor = 0;
  what.features = who == a ? 0 : 0x8000'0000'0000'0001;
  what.cluster = "school";
  what.node = who;
  what.boot_epoch = who == a ? 1 : 12;
  what.instance = who == a ? 0xaaaa : largest;
  what.name = who == a ? "api-1" : "sök-2"; // not only ASCII
  what.address = who == a ? "127.0.0.1:4701" : "b.example.org:4702";
  what.session = 0x5e55'1011'0000'0001;
  what.bulk = bulk;
  if (who == a)
    what.settings = {{"max_event_bytes", "1048576"}, {"profile", "lan"}};
  what.max_event_bytes = 1u << 20;
  return what;
}

template <class T> said frame_of(std::string title, const T& what) {
  said one{std::move(title), {}};
  append_frame(one.bytes, what);
  return one;
}

said control(std::string title, control_message what) { return frame_of(std::move(title), what); }

// -- interest -------------------------------------------------------------------------------

announced_subscription announced(std::uint32_t number, std::string name, topic_filter filter) {
  announced_subscription what;
  what.number = number;
  what.name = std::move(name);
  what.filter = std::move(filter);
  what.overload = {overload_policy::wait, 1024, 16u << 20, 10s};
  what.window_events = 8192;
  what.window_bytes = 4u << 20;
  return what;
}

std::vector<announced_subscription> all_of_b() {
  auto typed = announced(0, "indexer", topic_filter::name_and_below("lesson.published").value());
  auto grouped = announced(1, "mailer", topic_filter::parse("student.*.eu").value());
  grouped.group = "mailers";
  grouped.order = event_order::strict;
  grouped.overload = {overload_policy::strict, 1, 1024, 1ms};
  grouped.window_events = 1;
  grouped.window_bytes = 1024;
  std::vector<announced_subscription> all{typed, grouped};
  for (const auto policy : {overload_policy::drop_newest, overload_policy::drop_oldest,
                            overload_policy::latest_per_key}) {
    const auto number = static_cast<std::uint32_t>(all.size());
    all.push_back(
        announced(number, "view-" + std::to_string(number), topic_filter::parse("quiz.>").value()));
    all.back().overload.policy = policy;
  }
  return all;
}

said interest(std::string title, std::uint64_t number, const interest_message& what) {
  return control(std::move(title), link_numbered{number, encode(what)});
}

// -- conclusions ----------------------------------------------------------------------------

std::vector<ack_run> every_end() {
  std::vector<ack_run> runs{{0, 1, 1, fate::handled, {}},
                            {0, 2, 3, fate::dead, {}},
                            {1, largest - 7, 7, fate::expired, {}}};
  for (std::size_t why = 0; why < 10; ++why) // those of this version
    runs.push_back({2, 1 + why, 1, fate::dropped, static_cast<drop_reason>(why)});
  return runs;
}

// -- events ---------------------------------------------------------------------------------

constexpr event_type lesson{"lesson.published", 1, 0xc615'f503'79fd'0142, nullptr, {}, nullptr};
constexpr event_type quiz{"quiz.submitted", 2, 0xb859'19a6'654d'6bce, nullptr, {}, nullptr};

envelope_ptr event(const event_type& type, node_id publisher, std::uint64_t number,
                   envelope_header header, std::string_view title) {
  envelope_writer writer(type);
  if (!title.empty()) {
    auto payload = writer.payload().initAsAnyStruct(1, 2);
    payload.getDataSection()[0] = 0x2a;
    payload.getPointerSection()[1].setAs<capnp::Text>(
        capnp::Text::Reader(std::string(title).c_str()));
  }
  header.id.value = from_halves(0x0193'c0de'c0de'7000, 0x8000'0000'0000'0000 | number);
  header.publisher = publisher;
  header.occurred_at_ms = 1'700'000'000'000 + static_cast<std::int64_t>(number);
  return writer.finish(header).value();
}

outgoing_run run_of(std::vector<envelope_ptr> events, std::vector<outgoing_run::target> targets) {
  auto all = std::make_shared<chunk>();
  for (auto& one : events)
    all->entries.push_back(make_entry(std::move(one)));
  const auto count = static_cast<std::uint32_t>(all->entries.size());
  return {{std::move(all), 0, count, 0}, std::move(targets)};
}

said one_event(node_id publisher) {
  std::vector<outgoing_run> runs;
  runs.push_back(run_of({event(lesson, publisher, 1, {}, "Quantum")}, {{0, 1, 0}}));
  return frame_of("one event for one subscription", std::span<const outgoing_run>(runs));
}

said several_runs(node_id publisher) {
  static constexpr std::pair<std::string_view, std::string_view> meta[] = {{"tenant", "north"},
                                                                           {"empty", ""}};
  envelope_header full;
  full.subject = "eu.math";
  full.key = "l1";
  full.meta = meta;
  std::vector<outgoing_run> runs;
  runs.push_back(run_of({event(lesson, publisher, 2, full, "Größen"),
                         event(lesson, publisher, 3, {}, ""), // a null payload
                         event(lesson, publisher, 4, {}, "Algebra")},
                        {{0, 2, 0}, {7, 100, 5}, {0xffff'ffff, largest - 3, largest}}));
  runs.push_back(run_of({event(quiz, publisher, 5, {}, "q")}, {{0, 5, 0}}));
  runs.back().level = delivery_level::best_effort;
  runs.push_back(run_of({event(quiz, publisher, 6, {}, "q")}, {{3, 1, 0}}));
  runs.back().expires_in = 1500us; // which is 2 ms
  return frame_of("three runs, with all that can be said of an event",
                  std::span<const outgoing_run>(runs));
}

// -- membership -----------------------------------------------------------------------------

constexpr std::byte meta_bytes[] = {std::byte{0}, std::byte{1}, std::byte{255}};

member_update update(node_id who, member_state state) {
  member_update what{who, who == a ? 1u : 12u, who == c ? largest : 3, state, {}, {}};
  if (state == member_state::suspect || state == member_state::dead)
    what.from = a;
  if (state == member_state::alive)
    what.profile = {who == a ? "api-1" : "sök-2", "127.0.0.1:4701", meta_bytes};
  return what;
}

said members(std::string title, node_id from, const membership_message& what,
             const std::vector<member_update>& updates = {}) {
  membership_writer writer(
      {cluster_hash("school"), from, from == a ? 1u : 12u, from == a ? 0u : 3u}, what);
  for (const auto& one : updates)
    writer.add(one);
  said frame{std::move(title), {}};
  append_frame(frame.bytes, frame_kind::membership, writer.finish());
  return frame;
}

std::vector<said> refused_membership() {
  std::vector<said> all;
  for (std::uint8_t reason = 0; reason <= static_cast<std::uint8_t>(msg::refusal::full); ++reason)
    all.push_back(members("not let in", b,
                          msg::refused{static_cast<msg::refusal>(reason), "no", reason * 3u,
                                       reason == 3 ? "127.0.0.1:4709" : ""}));
  return all;
}

// -- the streams ----------------------------------------------------------------------------

said_stream control_of_a() {
  return {"control_a_to_b",
          a,
          {
              frame_of("a dials", hello(a, false)),
              members("a asks to be let in", a, msg::join{"school", 1, 0},
                      {update(a, member_state::alive)}),
              control("the session is up", link_resume{}),
              interest("a wants nothing yet", 1, {1, {}, {}}),
              control("a has read b's interest, and two frames of events", link_taken{1, 2}),
              control("events have ended, in every way", link_numbered{2, every_end()}),
              members("a probes b", a, msg::ping{1, b}),
              members("a asks b to probe c", a, msg::ping_request{0xffff'ffff, c}),
              members("gossip, of every state", a, msg::gossip{},
                      {update(b, member_state::alive), update(b, member_state::suspect),
                       update(c, member_state::dead), update(c, member_state::left)}),
              members("tables are compared", a, msg::offer{largest}),
              members("they differ: a part of a's table", a, msg::table{0, 2, true},
                      {update(a, member_state::alive)}),
              members("the last part", a, msg::table{1, 2, true}, {update(b, member_state::alive)}),
              members("a goes", a, msg::leave{7}),
          }};
}

said_stream control_of_b() {
  return {"control_b_to_a",
          b,
          {
              frame_of("b answers", hello(b, false)),
              members("a is let in", b, msg::join_ok{0, 1},
                      {update(b, member_state::alive), update(a, member_state::alive)}),
              control("the session is up", link_resume{}),
              interest("all that b wants", 1, {1, all_of_b(), {}}),
              interest("two subscriptions have ended", 2, {2, {}, {0, 4}}),
              members("b lives", b, msg::ack{1}),
              members("c does not answer b", b, msg::nack{0xffff'ffff}),
              members("the tables agree", b, msg::same{}),
          }};
}

said_stream bulk_of(std::string name, node_id who) {
  std::vector<said> frames{frame_of("hello", hello(who, true)), one_event(who)};
  if (who == a)
    frames.push_back(several_runs(who));
  return {std::move(name), who, std::move(frames)};
}

said_stream later_session() {
  auto again = hello(a, false);
  again.session = 1;
  return {"later_session_a_to_b",
          a,
          {frame_of("a dials again", again),
           control("what a has seen, and what it expects",
                   link_resume{largest - 1, {{0, 1}, {7, 103}, {0xffff'ffff, largest}}}),
           control("what b has not seen is said again", link_numbered{2, every_end()}),
           control("something is carried that nobody knows",
                   link_numbered{3, std::vector<std::byte>{std::byte{1}, std::byte{255}}})}};
}

said_stream refusals() {
  std::vector<said> all;
  for (std::uint8_t reason = 0; reason <= static_cast<std::uint8_t>(refusal_reason::duplicate);
       ++reason)
    all.push_back(frame_of("in place of a hello",
                           refusal_message{static_cast<refusal_reason>(reason),
                                           "reason " + std::to_string(reason), reason * 2u,
                                           reason == 4 ? "127.0.0.1:4709" : ""}));
  for (auto& one : refused_membership())
    all.push_back(std::move(one));
  return {"refusals_b_to_a", b, std::move(all)};
}

} // namespace

std::vector<said_stream> wire_conversation() {
  return {control_of_a(),  control_of_b(), bulk_of("bulk_a_to_b", a), bulk_of("bulk_b_to_a", b),
          later_session(), refusals()};
}

} // namespace edupulse::test
