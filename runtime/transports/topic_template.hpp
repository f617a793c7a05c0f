#pragma once
// Where an event goes at the other side: `edu.{name}`, `{tenant}.{topic}`.

#include "schemas/envelope.hpp"
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

/// Text with places in braces: `{topic}`, `{name}`, `{subject}`, `{key}`, `{publisher}`, or the
/// name of a metadata. Immutable; any thread.
class topic_template {
public:
  /// Errors: `invalid_option`, naming the byte and what is wrong with it. Empty text is refused.
  static expected<topic_template> parse(std::string_view text);

  /// Errors: `bad_topic` when the event has nothing for a place: no subject, no such metadata.
  expected<std::string> of(const envelope& event) const;
  const std::string& text() const noexcept { return text_; }
  /// It has no places: all events go there.
  bool is_constant() const noexcept { return parts_.size() == 1 && !parts_.front().is_place; }

private:
  struct part {
    std::string text;
    bool is_place;
  };
  std::string text_;
  std::vector<part> parts_;
};

} // namespace edupulse
