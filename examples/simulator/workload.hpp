#pragma once
// What the publishers of a run publish: lessons that are made up, or lines of a file.

#include "journal.hpp"
#include "plan.hpp"
#include "schemas/json.hpp"
#include "units.hpp"
#include <capnp/any.h>
#include <edupulse/node.hpp>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace edupulse::simulator {

/// Of the payload, the same wherever it is read.
std::uint64_t hash_of(capnp::AnyStruct::Reader payload);
/// What is noted of a call of a handler with this event.
record note_of(const envelope& event, std::uint32_t attempt, std::uint64_t gap);
/// Each `every`-th event of a workload whose plan has poison, the same for everybody who looks.
bool is_poison(const envelope& event, std::uint64_t every) noexcept;

/// Of one publisher, from its event `first` on. Publishers of a plan take turns.
class workload {
public:
  /// `more`: event types that lines may have besides lessons.
  workload(const plan& what, std::size_t node, std::uint64_t first, type_lookup more);

  /// Prepares the next event and fills in what is noted of it. False: there are no more.
  bool next(bool best_effort, record& into);
  /// Publishes what `next` has prepared. Errors: of the node.
  expected<receipt> publish(node& at) const;
  const event_type& type() const noexcept;
  const std::string& key() const noexcept { return key_; }
  const publish_options& options() const noexcept { return options_; }
  void fill(capnp::AnyPointer::Builder payload) const;
  /// Lines that are no events, and why.
  const std::vector<std::string>& skipped() const noexcept { return skipped_; }

private:
  bool next_line();
  void number(std::uint64_t place);
  std::uint64_t payload_hash() const;

  const plan& plan_;
  std::size_t node_;
  type_lookup more_;
  interests interests_;
  std::uint64_t place_; ///< among the events of all publishers
  std::ifstream input_;
  std::uint64_t line_ = 0;
  std::optional<json_event> read_;
  publish_options options_;
  std::string key_, teacher_, title_, body_; ///< the key of a lesson is its id
  std::vector<std::string> skipped_;
};

} // namespace edupulse::simulator
