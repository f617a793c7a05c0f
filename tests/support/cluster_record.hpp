#pragma once
// The record of a conversation between nodes, for tests/golden/cluster:
//
//     * what the script does
//     > what one node says to another, when, and in words
//     < what a node makes of it
//
// Times are of the simulation, in milliseconds from its start. Nodes have their names in place of
// ids; other numbers that the dice made are #1, #2 ... in the order in which they come up.

#include "actors/frame_reader.hpp"
#include "actors/switchboard_effect.hpp"
#include "tests/support/golden_file.hpp"
#include "tests/support/wire_conversation.hpp"
#include <map>
#include <regex>

namespace edupulse::test {

class cluster_record {
public:
  explicit cluster_record(std::vector<std::string> names) : names_(std::move(names)) {}

  void say(const std::string& what) { lines_.push_back("* " + what); }
  /// Ids are shown by these names.
  void call(const std::string& id, const std::string& name) { called_[id] = name; }
  void at(time_point now) { now_ = now; }
  /// Forgets what was recorded so far.
  void begin(time_point now) {
    lines_.clear();
    start_ = now_ = now;
  }

  // -- what is said ---------------------------------------------------------------------
  void frames(std::size_t from, std::size_t to, const frame_bytes& bytes) {
    frame_reader reader(1u << 20);
    REQUIRE(reader.feed(std::as_bytes(std::span(bytes)), [&](frame_kind kind, auto body) {
      frame(from, to, kind, body);
      return true;
    }));
  }
  void frame(std::size_t from, std::size_t to, frame_kind kind, std::span<const std::byte> body) {
    const auto instead = instead_.find(kind);
    auto words =
        instead == instead_.end() ? in_words(kind, body, sender_) : text_lines{instead->second};
    std::erase_if(words, [&](const std::string& one) { return is_noise(kind, one); });
    lines_.push_back("> " + time() + names_[from] + " to " + names_[to] + ": " + words.front());
    for (std::size_t i = 1; i < words.size(); ++i)
      lines_.push_back("      " + words[i].substr(0, words[i].find(" by ")));
  }
  /// Whose events they are, when there are any.
  void publisher(node_id who) { sender_ = who; }
  /// Frames of this kind are a stand-in's; the record says this in place of what they say.
  void stand_in(frame_kind kind, const std::string& words) { instead_[kind] = words; }

  // -- what is made of it -----------------------------------------------------------------
  void note(std::size_t who, const std::string& what) {
    lines_.push_back("< " + time() + names_[who] + ": " + what);
  }
  void note(std::size_t who, const membership_effects::changed& what) {
    note(who, what.member.name + " " + std::string(to_string(what.what)) + ", incarnation " +
                  std::to_string(what.member.inc) +
                  (what.by.is_nil() ? "" : ", says " + to_string(what.by)));
  }
  void note(std::size_t who, const membership_effects::self_changed& what) {
    note(who,
         "is " + std::string(to_string(what.now)) + (what.text.empty() ? "" : ": " + what.text));
  }

  text_lines lines() const {
    auto all = lines_;
    std::map<std::string, std::string> numbers;
    static const std::regex long_number("[0-9]{12,}");
    for (auto& line : all) {
      for (const auto& [id, name] : called_)
        replace(line, id, name);
      replace(line, " from " + to_string(node_id()), ""); // nobody accuses
      for (std::smatch found; std::regex_search(line, found, long_number);) {
        const auto name =
            numbers.try_emplace(found.str(), "#" + std::to_string(numbers.size() + 1)).first;
        replace(line, name->first, name->second);
      }
    }
    return all;
  }

private:
  std::string time() const {
    return std::to_string((now_ - start_) / std::chrono::milliseconds(1)) + " ms ";
  }
  /// What each frame of its kind says, and nobody needs to see again.
  static bool is_noise(frame_kind kind, const std::string& words) {
    return (kind == frame_kind::membership && words.starts_with("cluster ")) ||
           (kind == frame_kind::events && (words.starts_with("'") || words.starts_with("payload") ||
                                           words.starts_with("acknowledged")));
  }
  static void replace(std::string& in, const std::string& what, const std::string& by) {
    for (auto at = in.find(what); at != std::string::npos; at = in.find(what, at + by.size()))
      in.replace(at, what.size(), by);
  }

  std::vector<std::string> names_;
  std::map<std::string, std::string> called_; ///< by id
  std::map<frame_kind, std::string> instead_;
  text_lines lines_;
  time_point start_{};
  time_point now_{};
  node_id sender_;
};

} // namespace edupulse::test
