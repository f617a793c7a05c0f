#pragma once
// One membership core among peers that the test plays.

#include "actors/membership.hpp"
#include "tests/support/catch.hpp"
#include <map>
#include <string>
#include <vector>

namespace edupulse::test {

namespace msg = membership_messages;
namespace said = membership_effects;
using namespace std::chrono_literals;

inline node_id node(std::uint64_t number) { return make_node_id(number, ~number); }

/// Lasts: what is said about a peer points into it.
inline const peer_identity& peer(std::uint64_t number, std::uint64_t boot_epoch = 1) {
  static std::map<std::pair<std::uint64_t, std::uint64_t>, peer_identity> all;
  const std::string name = "peer" + std::to_string(number);
  return all
      .try_emplace({number, boot_epoch},
                   peer_identity{node(number), boot_epoch, 1000 * number + boot_epoch, name,
                                 "school", name + ":1"})
      .first->second;
}

inline member_update about(const peer_identity& who, member_state state, std::uint64_t inc = 0,
                           node_id from = node(900)) {
  member_update what{who.node, who.boot_epoch, inc, state, {}, {}};
  if (state == member_state::alive || state == member_state::suspect)
    what.profile = {who.name, who.address, {}};
  if (state == member_state::suspect || state == member_state::dead)
    what.from = from;
  return what;
}

/// A frame that was sent to a peer, decoded.
struct sent_frame {
  node_id to;
  bool over_data_link;
  membership_frame frame;
};

class one_member {
public:
  membership core;
  time_point now{100h};
  membership::effects out;

  explicit one_member(membership_options how = lan_profile(), std::uint64_t seed = 42)
      : core(membership::make(how, self_identity(), {}, seed).value()) {}

  static peer_identity self_identity() { return {node(1), 5, 77, "self", "school", "self:1"}; }

  // -- what happens -------------------------------------------------------------
  void found() { core.join({}, now, out); }
  hello_verdict hello(const peer_identity& who, std::string_view dialed = {}) {
    return core.on_hello(who, dialed, now, out);
  }
  void hears(const peer_identity& from, const membership_message& what,
             const std::vector<member_update>& updates = {}, std::uint64_t inc = 0) {
    core.receive(from, frame(from, what, updates, inc), now, out);
  }
  static std::vector<std::byte> frame(const peer_identity& from, const membership_message& what,
                                      const std::vector<member_update>& updates = {},
                                      std::uint64_t inc = 0) {
    membership_writer writer({cluster_hash(from.cluster), from.node, from.boot_epoch, inc}, what);
    for (const auto& one : updates)
      REQUIRE(writer.add(one));
    return writer.finish();
  }
  void asks_to_join(const peer_identity& who, std::uint16_t major = membership::version_major) {
    REQUIRE(hello(who) == hello_verdict::accepted);
    hears(who, msg::join{who.cluster, major, 0}, {about(who, member_state::alive)});
  }
  /// In a cluster with peers 2 to `last`, and everything said about it forgotten.
  void among(std::uint64_t last) {
    found();
    for (std::uint64_t i = 2; i <= last; ++i) {
      asks_to_join(peer(i));
      wait(20ms);
    }
    wait(3s); // what is left of the gossip
    forget();
  }
  /// Has `who` for dead, as told by `from`, once it had the time that each suspect gets.
  void buries(const peer_identity& who, const peer_identity& from, std::uint64_t inc = 0) {
    hears(from, msg::gossip{}, {about(who, member_state::suspect, inc)});
    wait(4s);
    hears(from, msg::gossip{}, {about(who, member_state::dead, inc)});
    REQUIRE(state_of(who) == member_state::dead);
  }
  /// Virtual time goes on, with a tick whenever one is due. `answer` may play the peers.
  template <class Answer> void wait(duration how_long, Answer answer) {
    const time_point end = now + how_long;
    for (auto next = core.next_deadline(); next && *next <= end; next = core.next_deadline()) {
      now = std::max(now, *next);
      core.tick(now, out);
      core.check();
      answer();
    }
    now = end;
  }
  /// Peers answer pings, and nothing else.
  void wait(duration how_long) {
    wait(how_long, [this] { answer_pings([](node_id) { return true; }); });
  }
  /// `does(node)`: whether this peer answers.
  template <class Does> void answer_pings(Does does) {
    for (; answered_ < out.size(); ++answered_) {
      const auto* sent = std::get_if<said::send>(&out[answered_]);
      if (sent == nullptr)
        continue;
      const auto read = decode_membership(sent->bytes).value();
      const auto* ping = std::get_if<msg::ping>(&read.message);
      if (ping == nullptr || !does(sent->to))
        continue;
      const auto who = core.find(sent->to).value();
      const peer_identity from{who.node, who.boot_epoch, 0, who.name, "school", who.address};
      core.receive(from, frame(from, msg::ack{ping->seq}, {}, who.inc), now, out);
    }
  }
  void forget() {
    out.clear();
    answered_ = 0;
  }

  // -- what is seen -------------------------------------------------------------
  member_state state_of(const peer_identity& who) const { return core.find(who.node)->state; }
  bool knows(const peer_identity& who) const { return core.find(who.node).has_value(); }
  std::vector<sent_frame> frames() const {
    std::vector<sent_frame> all;
    for (const auto& one : out)
      if (const auto* sent = std::get_if<said::send>(&one))
        all.push_back({sent->to, sent->over_data_link, decode_membership(sent->bytes).value()});
    return all;
  }
  template <class Message> std::vector<sent_frame> frames_of() const {
    auto all = frames();
    std::erase_if(all, [](const sent_frame& one) {
      return !std::holds_alternative<Message>(one.frame.message);
    });
    return all;
  }
  template <class Effect> std::vector<Effect> all_of() const {
    std::vector<Effect> all;
    for (const auto& one : out)
      if (const auto* found = std::get_if<Effect>(&one))
        all.push_back(*found);
    return all;
  }
  /// Member events since `forget`, as `suspect peer2`, one a line.
  std::string events() const {
    std::string lines;
    for (const auto& one : all_of<said::changed>())
      lines += std::string(to_string(one.what)) + " " + one.member.name + "\n";
    return lines;
  }
  std::uint64_t own_inc() const { return core.table()[0].inc; }

private:
  std::size_t answered_ = 0;
};

} // namespace edupulse::test
