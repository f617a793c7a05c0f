#include "schemas/topic.hpp"

#include <algorithm>
#include <array>

namespace edupulse {

namespace {

constexpr std::array<bool, 256> make_token_characters() {
  std::array<bool, 256> allowed{};
  for (char c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789_:@+-"))
    allowed[static_cast<unsigned char>(c)] = true;
  return allowed;
}

constexpr auto token_characters = make_token_characters();

enum class word_kind : bool { topic, filter };

/// What is wrong with one token, or an empty text.
std::string_view fault_of(std::string_view token, bool first, bool last, word_kind kind) {
  if (token.empty())
    return "an empty token (a dot at an end, or two in a row)";
  if (kind == word_kind::filter && token == "*")
    return {};
  if (kind == word_kind::filter && token == ">")
    return last ? std::string_view{} : "\">\" before the end (it stands for all that follows)";
  if (token.front() == '$') {
    if (!first)
      return "\"$\" (it may only begin the first token)";
    token.remove_prefix(1);
    if (token.empty())
      return "\"$\" with nothing behind it";
  }
  for (char c : token) {
    if (token_characters[static_cast<unsigned char>(c)])
      continue;
    if (c == '*' || c == '>')
      return kind == word_kind::filter ? "a wildcard inside a token (it must stand between dots)"
                                       : "a wildcard (only filters have them)";
    return "a character that is none of A-Z a-z 0-9 _ : @ + -";
  }
  return {};
}

/// Calls `each(token)` for the tokens of `text`, which obeys the rules when this returns no error.
template <class Each>
expected<void> walk(std::string_view text, word_kind kind, errc code, Each&& each) {
  const std::string_view noun = kind == word_kind::topic ? "topic" : "filter";
  if (text.empty())
    return fail(code, std::string("an empty ").append(noun) +
                          ": give at least one token, such as \"lesson.published\"");
  if (text.size() > max_topic_bytes)
    return fail(code, std::string("a ").append(noun) + " of " + std::to_string(text.size()) +
                          " bytes: the limit is " + std::to_string(max_topic_bytes));
  std::size_t begin = 0;
  for (std::size_t count = 1;; ++count) {
    const std::size_t dot = text.find('.', begin);
    const bool last = dot == std::string_view::npos;
    const auto token = text.substr(begin, last ? dot : dot - begin);
    if (count > max_topic_tokens)
      return fail(code, std::string(noun) + " " + quote(text) + " has more than " +
                            std::to_string(max_topic_tokens) + " tokens");
    if (const auto fault = fault_of(token, begin == 0, last, kind); !fault.empty())
      return fail(code, std::string(noun) + " " + quote(text) + " has " + std::string(fault) +
                            " in token " + std::to_string(count));
    each(token);
    if (last)
      return {};
    begin = dot + 1;
  }
}

} // namespace

expected<void> check_topic(std::string_view topic) {
  return walk(topic, word_kind::topic, errc::bad_topic, [](std::string_view) {});
}

expected<topic_filter> topic_filter::parse(std::string_view text) {
  topic_filter filter;
  auto keep = [&](std::string_view token) { filter.tokens_.emplace_back(token); };
  if (auto ok = walk(text, word_kind::filter, errc::bad_filter, keep); !ok)
    return tl::unexpected(std::move(ok.error()));
  filter.text_ = text;
  return filter;
}

expected<topic_filter> topic_filter::name_and_below(std::string_view event_name) {
  topic_filter filter;
  auto keep = [&](std::string_view token) { filter.tokens_.emplace_back(token); };
  if (auto ok = walk(event_name, word_kind::topic, errc::bad_filter, keep); !ok)
    return tl::unexpected(std::move(ok.error()));
  filter.text_ = std::string(event_name) + "(.>)";
  filter.and_below_ = true;
  return filter;
}

bool topic_filter::matches(std::string_view topic) const noexcept {
  if (tokens_.empty())
    return false; // default-constructed: wants nothing
  if (!topic.empty() && topic.front() == '$' && tokens_.front().front() != '$')
    return false;
  std::size_t begin = 0;
  for (const std::string& wanted : tokens_) {
    if (begin > topic.size())
      return false; // the topic has run out of tokens
    if (wanted == ">")
      return true;
    const std::size_t dot = std::min(topic.find('.', begin), topic.size());
    if (wanted != "*" && topic.substr(begin, dot - begin) != wanted)
      return false;
    begin = dot + 1;
  }
  return begin > topic.size() || and_below_;
}

} // namespace edupulse
