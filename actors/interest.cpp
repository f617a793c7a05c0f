#include "actors/interest.hpp"
#include "schemas/codec.hpp"
#include "schemas/interest.capnp.h"
#include "schemas/utf8.hpp"
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <cstring>
#include <kj/array.h>

namespace edupulse {

namespace {

constexpr std::size_t max_announced = 65'536;

tl::unexpected<error> malformed(std::string why) {
  return fail(errc::malformed, "the peer announces what cannot be: " + std::move(why));
}

/// What the user wrote, without the mark that `name_and_below` puts behind it.
std::string plain_text(const topic_filter& filter) {
  std::string text;
  for (const auto& token : filter.tokens())
    text += (text.empty() ? "" : ".") + token;
  return text;
}

void fill(schema::Interest::Subscription::Builder to, const announced_subscription& what) {
  to.setNumber(what.number);
  to.setName(what.name);
  to.setFilter(plain_text(what.filter));
  to.setAndBelow(what.filter.includes_itself_and_below());
  to.setOverload(static_cast<schema::Interest::Overload>(what.overload.policy));
  to.setBacklogEvents(what.overload.events);
  to.setBacklogBytes(what.overload.bytes);
  to.setStallAfterMs(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(what.overload.stall_after).count()));
  to.setWindowEvents(what.window_events);
  to.setWindowBytes(what.window_bytes);
  if (!what.group.empty())
    to.setGroup(what.group);
  to.setOrder(static_cast<schema::Interest::Order>(what.order));
}

expected<announced_subscription> read(schema::Interest::Subscription::Reader from) {
  announced_subscription to;
  to.number = from.getNumber();
  const auto name = from.getName(); // once: every reading counts against the limit
  to.name.assign(name.begin(), name.size());
  if (to.name.empty() || to.name.size() > 255 || !is_utf8(to.name))
    return malformed("a subscription without a name of 1 to 255 bytes of UTF-8");
  const auto pattern = from.getFilter();
  const std::string_view text{pattern.begin(), pattern.size()};
  auto filter = from.getAndBelow() ? topic_filter::name_and_below(text) : topic_filter::parse(text);
  if (!filter)
    return malformed(filter.error().text);
  to.filter = std::move(*filter);
  if (from.getOverload() > schema::Interest::Overload::LATEST_PER_KEY)
    return malformed("an overload policy that is not known");
  const auto within = [](std::uint64_t value, std::uint64_t low, std::uint64_t high) {
    return value >= low && value <= high;
  };
  if (!within(from.getBacklogEvents(), 1, 1u << 24) ||
      !within(from.getBacklogBytes(), 1024, std::uint64_t{1} << 36) ||
      !within(from.getStallAfterMs(), 1, 24ull * 60 * 60 * 1000) ||
      !within(from.getWindowEvents(), 1, 1u << 24) ||
      !within(from.getWindowBytes(), 1024, std::uint64_t{1} << 36))
    return malformed("limits of '" + to.name + "' that no subscription may have");
  to.overload = {static_cast<overload_policy>(from.getOverload()), from.getBacklogEvents(),
                 from.getBacklogBytes(), std::chrono::milliseconds(from.getStallAfterMs())};
  to.window_events = from.getWindowEvents();
  to.window_bytes = from.getWindowBytes();
  const auto group = from.getGroup();
  to.group.assign(group.begin(), group.size());
  if (to.group.size() > 255 || !is_utf8(to.group))
    return malformed("a group that is not 0 to 255 bytes of UTF-8");
  if (from.getOrder() > schema::Interest::Order::STRICT)
    return malformed("an order that is not known");
  to.order = static_cast<event_order>(from.getOrder());
  return to;
}

} // namespace

std::vector<std::byte> encode(const interest_message& what) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<schema::Interest>();
  root.setVersion(what.version);
  auto added = root.initAdded(static_cast<unsigned>(what.added.size()));
  for (unsigned i = 0; i < added.size(); ++i)
    fill(added[i], what.added[i]);
  auto removed = root.initRemoved(static_cast<unsigned>(what.removed.size()));
  for (unsigned i = 0; i < removed.size(); ++i)
    removed.set(i, what.removed[i]);
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  const auto* first = reinterpret_cast<const std::byte*>(bytes.begin());
  return {first, first + bytes.size()};
}

expected<interest_message> decode_interest(std::span<const std::byte> bytes) {
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0)
    return malformed("it is not a number of words");
  auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  std::memcpy(static_cast<void*>(words.begin()), bytes.data(), bytes.size());
  expected<interest_message> answer = fail(errc::malformed, "");
  const auto read_all = [&]() -> expected<interest_message> {
    capnp::ReaderOptions limits;
    limits.traversalLimitInWords = words.size() + 1024;
    limits.nestingLimit = 8;
    capnp::FlatArrayMessageReader reader(words, limits);
    const auto root = reader.getRoot<schema::Interest>();
    const auto added = root.getAdded();
    const auto removed = root.getRemoved();
    if (added.size() > max_announced || removed.size() > max_announced)
      return malformed("more subscriptions than a node may have");
    interest_message to;
    to.version = root.getVersion();
    for (auto one : added) {
      auto subscription = read(one);
      if (!subscription)
        return tl::unexpected<error>(subscription.error());
      to.added.push_back(std::move(*subscription));
    }
    for (const auto number : removed)
      to.removed.push_back(number);
    return to;
  };
  auto good = catching(errc::malformed, [&] { answer = read_all(); });
  if (!good)
    return malformed(good.error().text);
  return answer;
}

} // namespace edupulse
