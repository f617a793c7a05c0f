#pragma once
// What goes between the membership and its shell: who a peer is, what the shell is asked to do, and
// what subscribers are told.

#include "schemas/envelope.hpp"
#include "schemas/membership_frame.hpp"
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace edupulse {

/// Who is at the other end of a connection, from its hello; authenticated as well as the connection
/// is. This node itself is described by one too.
struct peer_identity {
  node_id node;
  std::uint64_t boot_epoch = 0;
  std::uint64_t instance = 0; ///< random for each process: tells a copied data directory
  std::string name;
  std::string cluster;
  std::string address; ///< where it says that it can be dialled
  friend bool operator==(const peer_identity&, const peer_identity&) = default;
};

/// What is to become of a connection whose hello was this. All but `accepted` mean: say why, close.
enum class hello_verdict : std::uint8_t {
  accepted,
  /// It is this very process: one of its own addresses was dialled.
  itself,
  wrong_cluster,
  /// A name or address out of bounds.
  malformed,
  /// A later start of the same node was met before: the peer is a leftover, or was restored from an
  /// old copy.
  fenced,
  /// Another node of the same name was met since: the later one has the name.
  superseded,
  /// Two processes claim one (id, epoch), or this node's own name. Neither can be told wrong.
  conflict,
  /// This node has left, or is fenced itself.
  over,
};
std::string_view to_string(hello_verdict what) noexcept;

/// Why a peer is not let in, for it to act on.
struct membership_refused {
  membership_refusal reason = membership_refusal::other;
  std::string text;             ///< for people
  std::uint64_t boot_epoch = 0; ///< `fenced`: the later start
  std::string address;          ///< `fenced`: where that can be dialled
};

/// Idle until told to join; `left` and `fenced` are final.
enum class self_state : std::uint8_t { idle, joining, joined, leaving, left, fenced };
std::string_view to_string(self_state state) noexcept;

/// A value: one member as it is seen here.
struct member_status {
  node_id node;
  std::string name;
  std::string address;
  std::uint64_t boot_epoch = 0;
  std::uint64_t inc = 0;
  member_state state = member_state::alive;
  std::vector<std::byte> meta;
};

enum class member_event : std::uint8_t {
  joined,
  suspect,
  /// Believed to be gone. It may come back, as `alive_again`: no verdict here is final.
  dead,
  left,
  /// It was started anew before its end was noticed: another epoch, or another id under its name.
  replaced,
  alive_again,
  /// Its address or metadata changed.
  changed,
};
std::string_view to_string(member_event what) noexcept;

enum class dial_reason : std::uint8_t { seed, newer_start, dead };
std::string_view to_string(dial_reason why) noexcept;

namespace membership_effects {

/// Send this frame to `to`, on the control connection; open one to `address` when there is none.
/// When somebody else answers there, the frame is dropped and the hello reported.
struct send {
  node_id to;
  std::string address;
  std::vector<std::byte> bytes;
  bool over_data_link = false; ///< on the data connection instead: the other one may be stuck
};
/// Open a new connection to `address`, whatever others there are, and report the hello.
struct dial {
  std::string address;
  node_id node; ///< who is hoped for; nil for a seed
  dial_reason why;
};
/// For subscribers.
struct changed {
  member_event what;
  member_status member;
  node_id by;       ///< who accuses, for suspect and dead; the id before, for replaced
  std::string text; ///< for people, or empty
};
/// This node's own part in the cluster has changed. `fenced`: a later start of it runs at the
/// address in `text`; stop publishing, say so, exit.
struct self_changed {
  self_state now;
  std::string text;
  std::uint64_t later_epoch = 0; ///< `fenced`: of that start
};
/// Another process claims to be this node, or has its name. An operator has to choose.
struct conflict {
  peer_identity other;
  std::string text;
};
/// A peer does not let this node in, or no longer. While joining, `fenced` means that the data
/// directory is an old copy. Once joined it is one peer's word: the newer start is dialled.
struct refused {
  node_id by;
  membership_refusal reason;
  std::uint64_t boot_epoch;
  std::string text; ///< from the peer: quoted already
};
/// A peer sends what cannot be true, again and again; its news is ignored for a minute.
struct misbehaving {
  node_id peer;
  std::string text;
};

} // namespace membership_effects

using membership_effect =
    std::variant<membership_effects::send, membership_effects::dial, membership_effects::changed,
                 membership_effects::self_changed, membership_effects::conflict,
                 membership_effects::refused, membership_effects::misbehaving>;

/// One line, as in traces and logs. Nodes are shown by the first eight digits of their ids.
std::string to_string(const membership_effect& what);

/// Everything that was not used, by reason.
struct membership_counts {
  std::uint64_t malformed = 0;     ///< frames that break a rule of membership.capnp
  std::uint64_t wrong_cluster = 0; ///< frames and hellos of another cluster
  std::uint64_t wrong_sender = 0;  ///< frames that speak for another than the peer
  std::uint64_t fenced = 0;        ///< frames and hellos of old starts
  std::uint64_t forged_inc = 0;    ///< incarnations that nobody can have reached
  std::uint64_t rate_limited = 0;  ///< new members beyond `new_members_per_second`
  std::uint64_t table_full = 0;    ///< new members beyond `max_members`
  std::uint64_t quarantined = 0;   ///< updates of misbehaving peers
  std::uint64_t refutations = 0;   ///< accusations of this node that it answered
  std::uint64_t pauses = 0;        ///< times this node was not running
};

} // namespace edupulse
