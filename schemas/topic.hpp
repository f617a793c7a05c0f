#pragma once
// A topic is the dotted name an event is published under: its event name, and an optional subject
// below it (`lesson.published`, `lesson.published.eu.math`). A filter says which topics a
// subscription wants: `*` stands for exactly one token, `>` for one or more at the end.
//
// Rules. A topic is 1 to 512 bytes, 1 to 32 tokens between dots, each of [A-Za-z0-9_:@+-] with an
// optional leading `$` on the first token (the runtime's own topics; applications may subscribe to
// them, not publish). A filter is the same, with `*` and `>` as whole tokens, `>` last only. A `*`
// or `>` in first place never matches a topic that begins with `$`: those are asked for by name.

#include "schemas/error.hpp"
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

inline constexpr std::size_t max_topic_bytes = 512;
inline constexpr std::size_t max_topic_tokens = 32;

/// Errors: `bad_topic`, naming the first rule that is broken and where.
expected<void> check_topic(std::string_view topic);

class topic_filter {
public:
  /// Errors: `bad_filter`, naming the first rule that is broken and where. Linear in the length of
  /// `text`, which is refused unread when it is longer than `max_topic_bytes`.
  static expected<topic_filter> parse(std::string_view text);

  /// The filter of a typed subscription: the event name itself and any subject below it.
  static expected<topic_filter> name_and_below(std::string_view event_name);

  /// `topic` must be valid. Linear in its length.
  bool matches(std::string_view topic) const noexcept;

  /// Of the runtime's own topics, which begin with `$` and never leave the node.
  bool of_runtime() const noexcept { return !tokens_.empty() && tokens_.front().front() == '$'; }

  /// As written by the user; `name_and_below` filters read `lesson.published` + `.>` as
  /// `lesson.published(.>)`.
  const std::string& text() const noexcept { return text_; }
  const std::vector<std::string>& tokens() const noexcept { return tokens_; }
  /// True when the topic equal to the tokens matches as well as everything below (name_and_below).
  bool includes_itself_and_below() const noexcept { return and_below_; }

private:
  std::string text_;
  std::vector<std::string> tokens_; // without a trailing ">" when and_below_ is set
  bool and_below_ = false;
};

} // namespace edupulse
