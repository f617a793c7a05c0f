// In: bytes of a peer. Every number that bounds a loop or an allocation is checked against the
// bytes that are really there; Cap'n Proto reads under limits tied to the frame, and what it throws
// is caught in one place.

#include "actors/link_frames.hpp"
#include "actors/link_words.hpp"
#include "schemas/envelope_writer.hpp"
#include "schemas/link.capnp.h"
#include "schemas/planted.hpp"
#include "schemas/segment_reader.hpp"
#include "schemas/utf8.hpp"
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace edupulse {

namespace {

tl::unexpected<error> malformed(std::string why) {
  return fail(errc::malformed, "a frame of the peer cannot be used: " + std::move(why));
}

std::uint32_t number_at(std::span<const std::byte> bytes, std::size_t at) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value |= static_cast<std::uint32_t>(bytes[at + i]) << 8 * i;
  return value;
}

bool is_words(std::span<const std::byte> body) noexcept {
  return !body.empty() && body.size() % sizeof(capnp::word) == 0;
}

/// Runs `read(root)`; whatever is wrong with the words is an error.
template <class Root, class F> auto reading(const link_words::reader& words, F read)
    -> decltype(read(typename Root::Reader())) {
  segment_reader reader({reinterpret_cast<const capnp::word*>(words.data()), words.size()});
  std::optional<decltype(read(typename Root::Reader()))> answer;
  auto good =
      catching(errc::malformed, [&] { answer.emplace(read(reader.template getRoot<Root>())); });
  if (!good)
    return malformed(good.error().text);
  return std::move(*answer);
}
template <class Root, class F> auto reading(std::span<const std::byte> body, F read)
    -> decltype(read(typename Root::Reader())) {
  if (!is_words(body))
    return malformed("it is not a number of words");
  return reading<Root>(link_words::reader(body), read);
}

expected<std::string> text_of(capnp::Text::Reader text, const char* what,
                              std::size_t most = link_limits::text_bytes) {
  const std::string_view view{text.begin(), text.size()};
  // A zero would end the text for whoever writes it again: another name than the one checked.
  if (view.size() > most || !is_utf8(view) || view.find('\0') != view.npos)
    return malformed(std::string(what) + " is not UTF-8 without zeros of at most " +
                     std::to_string(most) + " bytes");
  return std::string(view);
}

} // namespace

expected<frame_header> decode_header(std::span<const std::byte, frame_header::size> bytes,
                                     std::size_t max_body) {
  const auto size = number_at(bytes, 0);
  const auto kind = number_at(bytes, 4);
  if (kind == 0 || kind > static_cast<std::uint32_t>(frame_kind::membership))
    return malformed("it is of no known kind");
  if (size > max_body && !planted("frame_limit_ignored"))
    return fail(errc::too_large, "a frame of " + std::to_string(size) + " bytes: the limit is " +
                                     std::to_string(max_body));
  if (size == 0 || size % sizeof(capnp::word) != 0)
    return malformed("it is not a number of words");
  return frame_header{static_cast<frame_kind>(kind), size};
}

expected<hello_message> decode_hello(std::span<const std::byte> body) {
  return reading<schema::Hello>(body, [](auto from) -> expected<hello_message> {
    hello_message to;
    to.version_major = from.getVersionMajor();
    to.version_minor = from.getVersionMinor();
    to.features = from.getFeatures();
    to.node.value = from_halves(from.getNodeHigh(), from.getNodeLow());
    to.boot_epoch = from.getBootEpoch();
    to.instance = from.getInstance();
    to.session = from.getSession();
    to.bulk = from.getRole() == schema::Hello::Role::BULK;
    to.max_event_bytes = from.getMaxEventBytes();
    auto cluster = text_of(from.getCluster(), "the cluster");
    auto name = text_of(from.getName(), "the name");
    auto address = text_of(from.getAddress(), "the address");
    for (const auto* text : {&cluster, &name, &address})
      if (!*text)
        return tl::unexpected<error>(text->error());
    to.cluster = std::move(*cluster);
    to.name = std::move(*name);
    to.address = std::move(*address);
    if (to.node.is_nil() || to.boot_epoch == 0 || to.name.empty() || to.cluster.empty())
      return malformed("a hello without node, epoch, name or cluster");
    const auto settings = from.getSettings();
    if (settings.size() > link_limits::settings)
      return malformed("a hello with too many settings");
    for (auto one : settings) {
      auto key = text_of(one.getName(), "a setting's name");
      auto value = text_of(one.getValue(), "a setting's value");
      if (!key || !value)
        return malformed("a setting is not a text");
      to.settings.emplace_back(std::move(*key), std::move(*value));
    }
    return to;
  });
}

expected<refusal_message> decode_refusal(std::span<const std::byte> body) {
  return reading<schema::Refusal>(body, [](auto from) -> expected<refusal_message> {
    auto text = text_of(from.getText(), "the reason");
    auto address = text_of(from.getAddress(), "the address");
    if (!text || !address)
      return malformed("a refusal without a text");
    const auto reason = static_cast<std::uint16_t>(from.getReason());
    return refusal_message{reason <= static_cast<std::uint16_t>(refusal_reason::duplicate)
                               ? static_cast<refusal_reason>(reason)
                               : refusal_reason::other,
                           std::move(*text), from.getBootEpoch(), std::move(*address)};
  });
}

namespace {

/// A later version may know more ways to end than this one: it is over all the same.
ack_run ack_of(std::uint32_t subscription, std::uint64_t first, std::uint64_t count,
               std::uint16_t how, std::uint8_t why) {
  const bool known_end = how <= static_cast<std::uint16_t>(fate::dropped);
  const bool known_reason = known_end && why < drop_reasons;
  return {subscription, first, count, known_end ? static_cast<fate>(how) : fate::dropped,
          known_reason ? static_cast<drop_reason>(why) : drop_reason::unknown};
}

/// Conclusions that are laid out as this node does it.
std::optional<link_numbered> read_plain_acks(const link_words::reader& words) {
  namespace layout = link_words;
  constexpr std::size_t pointer = 1 + layout::control.data;
  constexpr std::size_t tag = 1 + layout::control.words();
  if (words[0] != layout::control.bits() || !words.has_list(pointer, tag, layout::ack) ||
      words[2] != layout::which_numbered || words[3] != layout::which_acks)
    return std::nullopt;
  std::vector<ack_run> runs;
  runs.reserve(words.count_at(tag));
  for (auto at = tag + 1; runs.size() < runs.capacity(); at += layout::ack.words())
    runs.push_back(ack_of(static_cast<std::uint32_t>(words[at]), words[at + 1], words[at + 2],
                          static_cast<std::uint16_t>(words[at] >> 32),
                          static_cast<std::uint8_t>(words[at] >> 48)));
  return link_numbered{words[1], std::move(runs)};
}

expected<control_message> read_numbered(schema::Control::Numbered::Reader from) {
  link_numbered to;
  to.number = from.getNumber();
  if (from.isCarried()) {
    const auto data = from.getCarried();
    const auto* bytes = reinterpret_cast<const std::byte*>(data.begin());
    to.what = std::vector<std::byte>(bytes, bytes + data.size());
    return to;
  }
  if (!from.isAcks())
    return malformed("a numbered message of no known kind");
  std::vector<ack_run> runs;
  for (auto one : from.getAcks())
    runs.push_back(ack_of(one.getSubscription(), one.getFirst(), one.getCount(),
                          static_cast<std::uint16_t>(one.getHow()), one.getWhy()));
  to.what = std::move(runs);
  return to;
}

expected<std::string> name_of(capnp::Text::Reader text) {
  return text_of(text, "a name in a ledger", link_limits::ledger_text_bytes);
}

expected<ledger_line> read_line(schema::Control::LedgerLine::Reader from) {
  auto topic = name_of(from.getTopic());
  auto subscription = name_of(from.getSubscription());
  const auto dropped = from.getDropped(); // once: every reading counts against the limit
  if (!topic || !subscription || dropped.size() > link_limits::ledger_reasons)
    return malformed("a line of a ledger without names, or with too many reasons");
  ledger_line to;
  to.topic = std::move(*topic);
  to.subscription = std::move(*subscription);
  to.published = from.getPublished();
  to.handled = from.getHandled();
  to.dead = from.getDead();
  to.expired = from.getExpired();
  for (unsigned i = 0; i < dropped.size(); ++i)
    to.dropped[std::min<std::size_t>(i, drop_reasons - 1)] += dropped[i]; // the last: unknown
  to.pending = from.getPending();
  to.retries = from.getRetries();
  to.crashes = from.getCrashes();
  return to;
}

expected<control_message> read_answer(schema::Control::Answer::Reader from) {
  const auto topics = from.getTopics();
  const auto lines = from.getLines();
  if (topics.size() > link_limits::ledger_lines || lines.size() > link_limits::ledger_lines)
    return malformed("too many lines of a ledger");
  link_answer to{from.getId(), from.getPart(), from.getLast(), {}};
  for (auto one : topics) {
    auto topic = name_of(one.getTopic());
    if (!topic)
      return tl::unexpected<error>(topic.error());
    to.lines.topics.push_back({std::move(*topic), one.getPublished(), one.getNoSubscriber()});
  }
  for (auto one : lines) {
    auto line = read_line(one);
    if (!line)
      return tl::unexpected<error>(line.error());
    to.lines.lines.push_back(std::move(*line));
  }
  return to;
}

} // namespace

expected<control_message> decode_control(std::span<const std::byte> body) {
  if (!is_words(body))
    return malformed("it is not a number of words");
  const link_words::reader words(body);
  if (auto acks = read_plain_acks(words))
    return std::move(*acks);
  return reading<schema::Control>(words, [](auto from) -> expected<control_message> {
    switch (from.which()) {
    case schema::Control::RESUME: {
      link_resume to;
      to.link = from.getResume().getLink();
      to.peer_link = from.getResume().getPeerLink();
      to.control_seen = from.getResume().getControlSeen();
      to.more = from.getResume().getMore();
      for (auto one : from.getResume().getExpected())
        to.expected.push_back({one.getSubscription(), one.getNext()});
      return to;
    }
    case schema::Control::TAKEN:
      return link_taken{from.getTaken().getControl(), from.getTaken().getFrames()};
    case schema::Control::NUMBERED:
      return read_numbered(from.getNumbered());
    case schema::Control::ASK: {
      const auto ask = from.getAsk();
      return link_ask{ask.getId(), static_cast<std::uint16_t>(ask.getAbout()), ask.getPart()};
    }
    case schema::Control::ANSWER:
      return read_answer(from.getAnswer());
    }
    return malformed("a control message of no known kind");
  });
}

// -- events -------------------------------------------------------------------------------

namespace {

struct run_head {
  std::uint32_t count;
  delivery_level level;
  duration expires_in;
  std::vector<outgoing_run::target> targets;
};

using run_heads = std::vector<run_head>;

run_head head_of(std::uint32_t count, std::uint16_t level, std::uint64_t expires_in_ms) {
  constexpr std::uint64_t longest_ms = 1000ull * 60 * 60 * 24 * 366;
  return {count,
          level == static_cast<std::uint16_t>(schema::EventsHead::Level::BEST_EFFORT)
              ? delivery_level::best_effort
              : delivery_level::acknowledged,
          std::chrono::milliseconds(std::min(expires_in_ms, longest_ms)),
          {}};
}

/// One that is laid out as this node does it, and within the limits.
std::optional<run_heads> read_plain_head(const link_words::reader& words) {
  namespace layout = link_words;
  constexpr std::size_t tag = 1 + layout::head.words();
  if (words[0] != layout::head.bits() || !words.has_list(1, tag, layout::run))
    return std::nullopt;
  run_heads all;
  const auto runs = words.count_at(tag);
  if (runs > link_limits::runs)
    return std::nullopt;
  all.reserve(runs);
  auto targets_at = tag + 1 + runs * layout::run.words();
  for (auto at = tag + 1; all.size() < runs; at += layout::run.words()) {
    if (!words.has_list(at + layout::run.data, targets_at, layout::target) ||
        words.count_at(targets_at) > link_limits::targets)
      return std::nullopt;
    auto& to =
        all.emplace_back(head_of(static_cast<std::uint32_t>(words[at]),
                                 static_cast<std::uint16_t>(words[at] >> 32), words[at + 1]));
    const auto targets = words.count_at(targets_at++);
    to.targets.reserve(targets);
    while (to.targets.size() < targets) {
      to.targets.push_back({static_cast<std::uint32_t>(words[targets_at]), words[targets_at + 1],
                            words[targets_at + 2]});
      targets_at += layout::target.words();
    }
  }
  return all;
}

expected<run_heads> read_any_head(const link_words::reader& words) {
  return reading<schema::EventsHead>(words, [&](auto from) -> expected<run_heads> {
    run_heads all;
    const auto runs = from.getRuns(); // once: every reading counts against the limit
    if (runs.size() > link_limits::runs)
      return malformed("too many runs");
    for (auto run : runs) {
      const auto targets = run.getTargets();
      if (targets.size() > link_limits::targets)
        return malformed("a run with too many targets");
      auto& to = all.emplace_back(head_of(
          run.getCount(), static_cast<std::uint16_t>(run.getLevel()), run.getExpiresInMs()));
      for (auto one : targets)
        to.targets.push_back({one.getSubscription(), one.getDseq(), one.getMissed()});
    }
    return all;
  });
}

expected<run_heads> read_head(std::span<const std::byte> bytes, std::uint32_t envelopes) {
  if (!is_words(bytes))
    return malformed("it is not a number of words");
  const link_words::reader words(bytes);
  auto plain = read_plain_head(words);
  auto all = plain ? expected<run_heads>(std::move(*plain)) : read_any_head(words);
  if (!all)
    return all;
  std::uint64_t count = 0;
  for (const auto& run : *all) {
    if (run.targets.empty() || run.count == 0)
      return malformed("a run without events or targets");
    count += run.count;
  }
  if (count != envelopes)
    return malformed("its runs do not add up to its envelopes");
  return all;
}

} // namespace

expected<std::vector<incoming_run>> decode_events(std::span<const std::byte> body, node_id from,
                                                  time_point now, const link_limits& limits) {
  constexpr std::size_t lead = 8; // two numbers, before the head and before each envelope
  if (body.size() < lead)
    return malformed("it ends before its head");
  const std::size_t head_bytes = number_at(body, 0) * sizeof(capnp::word);
  const auto envelopes = number_at(body, 4);
  auto rest = body.subspan(lead);
  if (head_bytes > rest.size() || envelopes > (rest.size() - head_bytes) / (2 * lead))
    return malformed("it ends before its envelopes");
  auto heads = read_head(rest.first(head_bytes), envelopes);
  if (!heads)
    return tl::unexpected<error>(heads.error());
  rest = rest.subspan(head_bytes);
  auto events = std::make_shared<chunk>();
  events->entries.reserve(envelopes);
  for (const auto& run : *heads)
    for (std::uint32_t i = 0; i < run.count; ++i) {
      if (rest.size() < lead)
        return malformed("it ends before its last envelope");
      const std::size_t bytes = number_at(rest, 0) * sizeof(capnp::word);
      if (number_at(rest, 4) != 0 || bytes > rest.size() - lead)
        return malformed("an envelope is longer than what is left of it");
      auto event = decode(rest.subspan(lead, bytes), {limits.max_event_bytes},
                          events->entries.empty() ? nullptr : events->entries.back().event.get());
      if (!event)
        return tl::unexpected<error>(event.error());
      if (!((*event)->publisher() == from))
        return malformed("an envelope that another node published");
      if (run.level != delivery_level::acknowledged || run.expires_in > duration::zero())
        envelope_writer::set_travel(*event, run.level,
                                    run.expires_in > duration::zero() ? now + run.expires_in
                                                                      : time_point::max());
      events->entries.push_back(make_entry(std::move(*event)));
      rest = rest.subspan(lead + bytes);
    }
  if (!rest.empty())
    return malformed("there is something behind its last envelope");
  std::vector<incoming_run> runs;
  runs.reserve(heads->size());
  std::uint32_t at = 0;
  for (auto& run : *heads) {
    runs.push_back({{events, at, at + run.count, 0}, std::move(run.targets)});
    at += run.count;
  }
  return runs;
}

} // namespace edupulse
