#include "runtime/transports/broker_url.hpp"

#include "schemas/nearest.hpp"
#include <algorithm>
#include <array>
#include <charconv>

namespace edupulse {

namespace {

using namespace std::chrono_literals;

tl::unexpected<error> wrong_url(const std::string& why) {
  return fail(errc::invalid_option,
              "this is no broker's address: " + why +
                  "; it looks like nats://user:password@host:4222/path?setting=value");
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

expected<std::string> unescape(std::string_view text) {
  std::string made;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      made += text[at];
      continue;
    }
    const int high = at + 2 < text.size() ? hex_digit(text[at + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[at + 2]) : -1;
    if (low < 0)
      return wrong_url("a percent sign is followed by two hexadecimal digits (%25 is a percent "
                       "sign)");
    made += static_cast<char>(high * 16 + low);
    at += 2;
  }
  return made;
}

/// What is in front of `mark`, which is taken away with it; all of it when there is none.
std::string_view cut(std::string_view& text, char mark) {
  const auto at = text.find(mark);
  const auto front = text.substr(0, at);
  text = at == text.npos ? std::string_view{} : text.substr(at + 1);
  return front;
}

expected<void> read_settings(std::string_view text, std::map<std::string, std::string>& to) {
  while (!text.empty()) {
    auto value = cut(text, '&');
    auto name = unescape(cut(value, '='));
    auto read = unescape(value);
    if (!name || !read)
      return tl::unexpected(std::move(name ? read.error() : name.error()));
    if (!to.emplace(*name, std::move(*read)).second)
      return wrong_url("the setting " + quote(*name) + " is there twice");
  }
  return {};
}

/// A number and what follows it.
expected<std::pair<std::uint64_t, std::string_view>> leading_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (bad != std::errc{})
    return fail(errc::invalid_option, "no number");
  return std::pair(value, text.substr(static_cast<std::size_t>(end - text.data())));
}

} // namespace

expected<broker_url> broker_url::parse(std::string_view text) {
  broker_url made;
  const auto scheme = text.find("://");
  if (scheme == text.npos || scheme == 0)
    return wrong_url("it does not begin with a scheme and \"://\"");
  made.scheme = text.substr(0, scheme);
  text.remove_prefix(scheme + 3);

  auto front = cut(text, '?');
  if (auto ok = read_settings(text, made.settings); !ok)
    return tl::unexpected(std::move(ok.error()));
  auto authority = cut(front, '/');
  const auto at = authority.rfind('@');
  auto credentials = at == authority.npos ? std::string_view{} : authority.substr(0, at);
  made.hosts = at == authority.npos ? authority : authority.substr(at + 1);
  const auto user = cut(credentials, ':');
  for (auto [to, from] : {std::pair(&made.user, user), std::pair(&made.password, credentials),
                          std::pair(&made.path, front)}) {
    auto read = unescape(from);
    if (!read)
      return tl::unexpected(std::move(read.error()));
    *to = std::move(*read);
  }
  return made;
}

std::string broker_url::shown() const {
  return scheme + "://" + hosts + (path.empty() ? "" : "/" + path);
}

expected<host_port> only_host(const broker_url& url, std::uint16_t default_port) {
  const auto colon = url.hosts.rfind(':');
  const bool has_port = colon != url.hosts.npos && url.hosts.find(']', colon) == url.hosts.npos;
  auto one = parse_host_port(has_port ? url.hosts : url.hosts + ':' + std::to_string(default_port));
  if (one && one->port == 0)
    return wrong_url("port 0 is nobody's");
  if (one && one->host.find(',') != one->host.npos)
    return wrong_url(quote(url.hosts) + " must be one host");
  return one;
}

const std::string* setting_reader::find(std::string_view name) {
  known_.emplace_back(name);
  const auto found = from_->settings.find(known_.back());
  return found == from_->settings.end() ? nullptr : &found->second;
}

void setting_reader::wrong(error why) {
  if (first_)
    first_ = tl::unexpected(std::move(why));
}

void setting_reader::wrong_value(std::string_view name, std::string_view value,
                                 const std::string& wanted) {
  wrong({errc::invalid_option,
         "setting " + std::string(name) + "=" + quote(value) + " must be " + wanted});
}

std::string setting_reader::text(std::string_view name, std::string_view fallback) {
  const auto* given = find(name);
  return given != nullptr ? *given : std::string(fallback);
}

bool setting_reader::flag(std::string_view name, bool fallback) {
  const auto* given = find(name);
  if (given == nullptr)
    return fallback;
  if (*given != "true" && *given != "false")
    wrong_value(name, *given, "true or false");
  return *given == "true";
}

std::uint64_t setting_reader::number(std::string_view name, std::uint64_t fallback,
                                     std::uint64_t least, std::uint64_t most) {
  const auto* given = find(name);
  if (given == nullptr)
    return fallback;
  const auto read = leading_number(*given);
  if (read && read->second.empty() && read->first >= least && read->first <= most)
    return read->first;
  wrong_value(name, *given, std::to_string(least) + " to " + std::to_string(most));
  return fallback;
}

duration setting_reader::span(std::string_view name, duration fallback) {
  static constexpr std::array<std::pair<std::string_view, duration>, 3> units = {
      {{"ms", 1ms}, {"s", 1s}, {"min", 1min}}};
  const auto* given = find(name);
  if (given == nullptr)
    return fallback;
  if (const auto read = leading_number(*given); read && read->first <= 3'600'000)
    for (const auto& [unit, length] : units)
      if (const auto value = length * static_cast<std::int64_t>(read->first);
          read->second == unit && value >= 1ms && value <= 1h)
        return value;
  wrong_value(name, *given, "a time like 250ms, 10s or 2min, from 1ms to 60min");
  return fallback;
}

std::vector<std::pair<std::string, std::string>>
setting_reader::with_prefix(std::string_view prefix) {
  std::vector<std::pair<std::string, std::string>> found;
  for (const auto& [name, value] : from_->settings) {
    if (!name.starts_with(prefix))
      continue;
    known_.push_back(name);
    found.emplace_back(name.substr(prefix.size()), value);
  }
  return found;
}

expected<void> setting_reader::finish() const {
  if (!first_)
    return first_;
  for (const auto& [name, value] : from_->settings)
    if (std::ranges::find(known_, name) == known_.end())
      return fail(errc::invalid_option, "the setting " + quote(name) + " is unknown to " +
                                            from_->scheme + did_you_mean(name, known_));
  return {};
}

} // namespace edupulse
