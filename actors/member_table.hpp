#pragma once
// The members that a node knows, living and dead, itself included: bounded, found by id and by
// name, with a digest that two nodes compare to see whether they agree. It keeps; the membership
// decides. Members live in slots, which are used again.

#include "actors/slot_index.hpp"
#include "schemas/envelope.hpp"
#include "schemas/membership_frame.hpp"
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace edupulse {

using member_slot = slot_index::slot;
inline constexpr member_slot no_member = slot_index::none;
inline constexpr time_point long_ago{duration::min() / 2};

/// What each piece of news looks at; the rest is kept apart, so that a thousand of these stay close
/// together.
struct member_record {
  node_id node;
  std::uint64_t boot_epoch = 0;
  std::uint64_t inc = 0;
  time_point since{}; ///< in this state
  member_state state = member_state::alive;
  bool proved = false;     ///< this epoch was heard in a hello of the node itself
  bool detailed = false;   ///< its metadata is known: a hello does not tell it
  bool superseded = false; ///< another node has taken its name since: left, and not spoken of
  bool data_link = false;
  bool quarantined = false; ///< its news is ignored for a while
  member_slot live_at = no_member;

  bool is_live() const noexcept { return state <= member_state::suspect; }
};

struct member_profile {
  std::string name;
  std::string address;
  std::vector<std::byte> meta;
  node_id from;                     ///< who accused it
  time_point table_sent = long_ago; ///< the latest table that it was sent
  std::uint32_t faults = 0;         ///< in this minute
  time_point faults_since = long_ago;
  time_point quarantined_until = long_ago;

  member_profile_view view() const noexcept { return {name, address, meta}; }
};

class member_table {
public:
  /// Slot 0 is the node itself, and stays. `salt` keeps others from choosing ids that collide.
  member_table(std::size_t max_members, std::uint64_t salt) : max_(max_members), salt_(salt) {}

  member_slot find(node_id who) const;
  /// The member that the name is bound to.
  member_slot find_name(std::string_view name) const;
  const member_record& operator[](member_slot which) const { return records_[which]; }
  const member_profile& profile(member_slot which) const { return profiles_[which]; }
  member_profile& profile(member_slot which) { return profiles_[which]; }

  /// A member of that id must not be there. `no_member` when the table is full of living ones;
  /// otherwise the oldest of the dead makes room, and is told to `evicted`.
  member_slot add(const member_record& what, const member_profile_view& profile,
                  std::optional<member_slot>& evicted);
  void remove(member_slot which);
  /// (epoch, inc, state) and since when. Another epoch is a new start: nobody's name was taken.
  void set_key(member_slot which, std::uint64_t boot_epoch, std::uint64_t inc, member_state state,
               time_point now);
  /// The views must not be its own. Takes the name from whoever has it.
  void set_profile(member_slot which, const member_profile_view& what);
  /// Takes the name from it, and with it its place in the cluster.
  void supersede(member_slot which, time_point now);
  /// It may have its name again; to be given a key, and its profile.
  void restore(member_slot which) { records_[which].superseded = false; }
  void set_proved(member_slot which) { records_[which].proved = true; }
  void set_detailed(member_slot which, bool is) { records_[which].detailed = is; }
  void set_data_link(member_slot which, bool up) { records_[which].data_link = up; }
  void set_quarantined(member_slot which, bool is) { records_[which].quarantined = is; }

  /// Alive or suspect, without the node itself; in an order that follows from what happened.
  std::span<const member_slot> live() const noexcept { return live_; }
  /// Dead, not left.
  std::size_t dead_count() const noexcept { return dead_; }
  /// Slots in use are those below, unless `is_free`.
  member_slot slot_end() const noexcept { return static_cast<member_slot>(records_.size()); }
  bool is_free(member_slot which) const { return records_[which].node.is_nil(); }
  std::size_t size() const noexcept { return ids_.size(); }
  /// As in membership.capnp, `offer`.
  std::uint64_t digest() const noexcept { return digest_; }
  void check() const;

private:
  std::uint64_t hash_of(node_id who) const noexcept;
  std::uint64_t hash_of(std::string_view name) const noexcept;
  void insert_id(member_slot which);
  void bind_name(member_slot which);
  void unbind_name(member_slot which);
  void set_live(member_slot which, bool live);
  member_slot oldest_tombstone() const;

  std::size_t max_;
  std::uint64_t salt_;
  std::vector<member_record> records_;
  std::vector<member_profile> profiles_;
  slot_index ids_;
  slot_index names_;
  std::vector<member_slot> live_;
  std::vector<member_slot> free_;
  std::size_t dead_ = 0;
  std::uint64_t digest_ = 0;
};

/// What a living member adds to the digest.
std::uint64_t digest_of(const member_record& what) noexcept;

} // namespace edupulse
