// Writes tests/fuzz/corpus: inputs that get far, made of real frames.
// Usage: make_corpus DIRECTORY

#include "tests/fuzz/make_corpus.hpp"
#include "actors/interest.hpp"
#include "schemas/membership_codec.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/support/events.hpp"
#include <fstream>
#include <iostream>

using namespace edupulse;

void fuzz::put(const std::filesystem::path& file, std::span<const char> bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

namespace {

using fuzz::put;
namespace msg = membership_messages;
const peer_identity who{make_node_id(1, 2), 1, 9, "peer", "school", "peer:1"};

frame_bytes hello(std::uint64_t session, bool bulk) {
  auto what = hello_of(who, session, bulk);
  what.settings = {{"profile", "lan"}};
  what.max_event_bytes = 1u << 20;
  frame_bytes bytes;
  append_frame(bytes, what);
  return bytes;
}
frame_bytes control(const control_message& what) {
  frame_bytes bytes;
  append_frame(bytes, what);
  return bytes;
}
frame_bytes events() {
  auto all = std::make_shared<chunk>();
  for (std::size_t i = 0; i < 3; ++i)
    all->entries.push_back(make_entry(test::make_event({.key = "k", .payload_bytes = 40 * i})));
  std::vector<outgoing_run> runs(1);
  runs[0].events = {all, 0, 3, 0};
  runs[0].targets = {{1, 1, 0}, {2, 5, 1}};
  frame_bytes bytes;
  append_frame(bytes, runs);
  return bytes;
}
frame_bytes interest() {
  interest_message what;
  what.version = 1;
  what.added.push_back({1, "indexer", topic_filter::parse("lesson.*").value()});
  return control(link_numbered{1, encode(what)});
}
std::vector<std::byte> member_frame(const membership_message& what) {
  membership_writer writer({cluster_hash("school"), who.node, who.boot_epoch, 0}, what);
  writer.add({who.node, who.boot_epoch, 1, member_state::alive, {}, {who.name, who.address, {}}});
  writer.add({make_node_id(7, 7), 2, 1, member_state::suspect, who.node, {"x", "x:1", {}}});
  return writer.finish();
}
frame_bytes join() {
  frame_bytes bytes;
  append_frame(bytes, frame_kind::membership, member_frame(msg::join{"school", 1, 0}));
  return bytes;
}

void add(frame_bytes& to, fuzz::step what, const frame_bytes& bytes) {
  to.push_back(static_cast<char>(what));
  to.push_back(static_cast<char>(bytes.size() & 0xff));
  to.push_back(static_cast<char>(bytes.size() >> 8));
  to.insert(to.end(), bytes.begin(), bytes.end());
}
void add_number(frame_bytes& to, fuzz::step what, int number) {
  to.push_back(static_cast<char>(what));
  to.push_back(static_cast<char>(number & 0xff));
  to.push_back(static_cast<char>(number >> 8));
}

/// The number that the subject chooses for the session that it dials: its randomness is fixed.
std::uint64_t dialed_session() {
  auto core = fuzz::subject();
  const time_point now{std::chrono::hours(100)};
  switchboard::effects out;
  core.join({"elsewhere:1"}, now, out);
  core.on_connected(1, 1, now, out);
  for (const auto& one : out)
    if (const auto* what = std::get_if<switchboard_effects::write>(&one))
      return decode_hello(std::as_bytes(std::span(what->bytes)).subspan(frame_header::size))
          .value()
          .session;
  return 0;
}

frame_bytes conversation(std::uint64_t session, bool dialed) {
  using fuzz::step;
  frame_bytes all;
  add(all, step::first_says, hello(session, false));
  add(all, step::second_says, hello(session, true));
  add(all, step::first_says, control(link_resume{}));
  add(all, step::first_says, join());
  add(all, step::first_says, interest());
  add(all, step::second_says, events());
  add_number(all, step::wait, 300);
  if (!dialed)
    add_number(all, step::end, 1);
  return all;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_corpus DIRECTORY\n";
    return 2;
  }
  const std::filesystem::path to = argv[1];
  refusal_message no{refusal_reason::fenced, "a later start was met", 7, "other:1"};
  frame_bytes refusal;
  append_frame(refusal, no);
  put(to / "frames" / "hello", hello(5, true));
  put(to / "frames" / "refusal", refusal);
  put(to / "frames" / "resume", control(link_resume{3, {{1, 5}, {2, 1}}}));
  put(to / "frames" / "taken", control(link_taken{3, 4}));
  put(to / "frames" / "acks",
      control(link_numbered{4, std::vector<ack_run>{{1, 1, 9, fate::handled, {}}}}));
  put(to / "frames" / "interest", interest());
  put(to / "frames" / "events", events());
  put(to / "frames" / "membership", join());
  const auto event = test::make_event({.subject = "eu", .key = "k", .payload_bytes = 40});
  const auto* first = reinterpret_cast<const char*>(event->words().data());
  put(to / "envelope" / "event", {first, first + event->words().size_bytes()});
  int number = 0;
  for (const membership_message& what : std::initializer_list<membership_message>{
           msg::join{"school", 1, 0}, msg::ping{1, make_node_id(5, 5)}, msg::gossip{},
           msg::offer{7}, msg::table{0, 1, true}, msg::leave{3}}) {
    const auto bytes = member_frame(what);
    const auto* begin = reinterpret_cast<const char*>(bytes.data());
    put(to / "membership" / std::to_string(number++), {begin, begin + bytes.size()});
  }
  put(to / "acceptor" / "session", conversation(11, false));
  put(to / "dialer" / "session", conversation(dialed_session(), true));
  frame_bytes refused;
  add(refused, fuzz::step::first_says, refusal);
  put(to / "dialer" / "refused", refused);
  fuzz::write_operator_corpus(to);
  fuzz::write_inbound_corpus(to);
}
