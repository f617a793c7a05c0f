// Out: how frames are made. See link_frames_in.cpp for the way in.

#include "actors/link_frames.hpp"
#include "actors/link_words.hpp"
#include "schemas/link.capnp.h"
#include <algorithm>
#include <capnp/message.h>
#include <cstring>

namespace edupulse {

namespace {

/// At once, and not again for each part: several frames are one write.
void make_room(frame_bytes& to, std::size_t bytes) {
  if (to.capacity() - to.size() < bytes)
    to.reserve(std::max(to.size() + bytes, 2 * to.capacity()));
}

void append_numbers(frame_bytes& to, std::uint32_t first, std::uint32_t second) {
  char bytes[8];
  for (int i = 0; i < 4; ++i) {
    bytes[i] = static_cast<char>(first >> 8 * i & 0xff);
    bytes[i + 4] = static_cast<char>(second >> 8 * i & 0xff);
  }
  to.insert(to.end(), bytes, bytes + sizeof bytes);
}

void append_header(frame_bytes& to, frame_kind kind, std::size_t body_bytes) {
  append_numbers(to, static_cast<std::uint32_t>(body_bytes), static_cast<std::uint32_t>(kind));
}

template <class Word> void append_words(frame_bytes& to, std::span<const Word> words) {
  const auto* bytes = reinterpret_cast<const char*>(words.data());
  to.insert(to.end(), bytes, bytes + words.size_bytes());
}

/// Most messages are short: their first kilobyte is on the stack, and not asked for.
class short_message {
public:
  short_message() = default;
  short_message(const short_message&) = delete;
  short_message& operator=(const short_message&) = delete;
  operator capnp::MessageBuilder&() noexcept { return all_; }
  template <class T> typename T::Builder initRoot() { return all_.initRoot<T>(); }

private:
  capnp::word first_[128]{};
  capnp::MallocMessageBuilder all_{kj::arrayPtr(first_, std::size(first_))};
};

/// One segment, whatever the builder made of it.
class flat_message {
public:
  explicit flat_message(capnp::MessageBuilder& from) {
    const auto segments = from.getSegmentsForOutput();
    if (segments.size() == 1) {
      words_ = {segments[0].begin(), segments[0].size()};
      return;
    }
    copy_ = std::make_unique<capnp::MallocMessageBuilder>(
        static_cast<unsigned>(from.sizeInWords() + 1), capnp::AllocationStrategy::FIXED_SIZE);
    copy_->setRoot(from.getRoot<capnp::AnyStruct>().asReader());
    const auto all = copy_->getSegmentsForOutput();
    words_ = {all[0].begin(), all[0].size()};
  }
  std::span<const capnp::word> words() const noexcept { return words_; }

private:
  std::unique_ptr<capnp::MallocMessageBuilder> copy_;
  std::span<const capnp::word> words_;
};

void append_message(frame_bytes& to, frame_kind kind, capnp::MessageBuilder& message) {
  const flat_message flat(message);
  make_room(to, frame_header::size + flat.words().size_bytes());
  append_header(to, kind, flat.words().size_bytes());
  append_words(to, flat.words());
}

void fill(schema::Control::Builder to, const link_resume& what) {
  auto resume = to.initResume();
  resume.setLink(what.link);
  resume.setPeerLink(what.peer_link);
  resume.setControlSeen(what.control_seen);
  resume.setMore(what.more);
  auto expected = resume.initExpected(static_cast<unsigned>(what.expected.size()));
  for (unsigned i = 0; i < expected.size(); ++i) {
    expected[i].setSubscription(what.expected[i].subscription);
    expected[i].setNext(what.expected[i].next);
  }
}
void fill(schema::Control::Builder to, const link_taken& what) {
  auto taken = to.initTaken();
  taken.setControl(what.control);
  taken.setFrames(what.frames);
}
/// Something that is carried.
void fill(schema::Control::Builder to, const link_numbered& what) {
  auto numbered = to.initNumbered();
  numbered.setNumber(what.number);
  const auto& bytes = std::get<std::vector<std::byte>>(what.what);
  auto data = numbered.initCarried(static_cast<unsigned>(bytes.size()));
  if (!bytes.empty())
    std::memcpy(data.begin(), bytes.data(), bytes.size());
}
void fill(schema::Control::Builder to, const link_ask& what) {
  auto ask = to.initAsk();
  ask.setId(what.id);
  ask.setAbout(static_cast<schema::Control::Question>(what.about));
  ask.setPart(what.part);
}
void fill(schema::Control::LedgerLine::Builder to, const ledger_line& what) {
  to.setTopic(what.topic);
  to.setSubscription(what.subscription);
  to.setPublished(what.published);
  to.setHandled(what.handled);
  to.setDead(what.dead);
  to.setExpired(what.expired);
  auto dropped = to.initDropped(static_cast<unsigned>(what.dropped.size()));
  for (unsigned i = 0; i < dropped.size(); ++i)
    dropped.set(i, what.dropped[i]);
  to.setPending(what.pending);
  to.setRetries(what.retries);
  to.setCrashes(what.crashes);
}
void fill(schema::Control::Builder to, const link_answer& what) {
  auto answer = to.initAnswer();
  answer.setId(what.id);
  answer.setPart(what.part);
  answer.setLast(what.last);
  auto topics = answer.initTopics(static_cast<unsigned>(what.lines.topics.size()));
  for (unsigned i = 0; i < topics.size(); ++i) {
    topics[i].setTopic(what.lines.topics[i].topic);
    topics[i].setPublished(what.lines.topics[i].published);
    topics[i].setNoSubscriber(what.lines.topics[i].no_subscriber);
  }
  auto lines = answer.initLines(static_cast<unsigned>(what.lines.lines.size()));
  for (unsigned i = 0; i < lines.size(); ++i)
    fill(lines[i], what.lines.lines[i]);
}

void append_acks(frame_bytes& to, std::uint64_t number, const std::vector<ack_run>& runs) {
  namespace layout = link_words;
  layout::writer words{layout::control.bits(),
                       number,
                       layout::which_numbered,
                       layout::which_acks,
                       0,
                       layout::list_pointer(1, runs.size(), layout::ack),
                       0,
                       layout::list_tag(runs.size(), layout::ack)};
  for (const auto& one : runs) {
    words.push_back(one.subscription | static_cast<std::uint64_t>(one.how) << 32 |
                    static_cast<std::uint64_t>(one.why) << 48);
    words.push_back(one.first);
    words.push_back(one.count);
  }
  const std::span<const std::uint64_t> body(words.data(), words.size());
  make_room(to, frame_header::size + body.size_bytes());
  append_header(to, frame_kind::control, body.size_bytes());
  append_words(to, body);
}

void append_run(link_words::writer& to, const outgoing_run& run, std::uint64_t targets_at) {
  to.push_back(run.events.size() | std::uint64_t{run.level != delivery_level::best_effort} << 32);
  const auto left = std::max(run.expires_in, duration::zero()); // rounded up: 0 is never
  to.push_back(static_cast<std::uint64_t>((left.count() + 999'999) / 1'000'000));
  to.push_back(
      link_words::list_pointer(targets_at - to.size() - 1, run.targets.size(), link_words::target));
}

link_words::writer head_of(std::span<const outgoing_run> events) {
  namespace layout = link_words;
  layout::writer words{layout::head.bits(), layout::list_pointer(0, events.size(), layout::run),
                       layout::list_tag(events.size(), layout::run)};
  auto targets_at = words.size() + events.size() * layout::run.words();
  for (const auto& run : events) {
    append_run(words, run, targets_at);
    targets_at += 1 + run.targets.size() * layout::target.words();
  }
  for (const auto& run : events) {
    words.push_back(layout::list_tag(run.targets.size(), layout::target));
    for (const auto& one : run.targets) {
      words.push_back(one.remote);
      words.push_back(one.dseq);
      words.push_back(one.missed);
    }
  }
  return words;
}

std::size_t envelope_bytes(const slice& part) {
  constexpr std::uint32_t ahead = 8;
  std::size_t bytes = 0;
  for (auto at = part.begin; at < part.end; ++at) {
    if (at + ahead < part.end)
      prefetch_lines<1>(part.events->entries[at + ahead].event.get());
    bytes += 8 + part.events->entries[at].event->words().size_bytes();
  }
  return bytes;
}

void append_envelopes(frame_bytes& to, const slice& part) {
  constexpr std::uint32_t ahead = 2;
  for (auto at = part.begin; at < part.end; ++at) {
    if (at + ahead < part.end)
      prefetch_lines<8>(part.events->entries[at + ahead].event->words().data());
    const auto words = part.events->entries[at].event->words();
    append_numbers(to, static_cast<std::uint32_t>(words.size()), 0);
    append_words(to, std::span<const capnp::word>(words));
  }
}

} // namespace

void append_frame(frame_bytes& to, const hello_message& what) {
  short_message message;
  auto hello = message.initRoot<schema::Hello>();
  hello.setVersionMajor(what.version_major);
  hello.setVersionMinor(what.version_minor);
  hello.setFeatures(what.features);
  hello.setCluster(what.cluster);
  hello.setNodeHigh(high_half(what.node.value));
  hello.setNodeLow(low_half(what.node.value));
  hello.setBootEpoch(what.boot_epoch);
  hello.setInstance(what.instance);
  hello.setName(what.name);
  hello.setAddress(what.address);
  hello.setSession(what.session);
  hello.setRole(what.bulk ? schema::Hello::Role::BULK : schema::Hello::Role::CONTROL);
  hello.setMaxEventBytes(what.max_event_bytes);
  auto settings = hello.initSettings(static_cast<unsigned>(what.settings.size()));
  for (unsigned i = 0; i < settings.size(); ++i) {
    settings[i].setName(what.settings[i].first);
    settings[i].setValue(what.settings[i].second);
  }
  append_message(to, frame_kind::hello, message);
}

void append_frame(frame_bytes& to, const refusal_message& what) {
  short_message message;
  auto refusal = message.initRoot<schema::Refusal>();
  refusal.setReason(static_cast<schema::Refusal::Reason>(what.reason));
  refusal.setText(what.text);
  refusal.setBootEpoch(what.boot_epoch);
  refusal.setAddress(what.address);
  append_message(to, frame_kind::refusal, message);
}

void append_frame(frame_bytes& to, const control_message& what) {
  if (const auto* numbered = std::get_if<link_numbered>(&what))
    if (const auto* runs = std::get_if<std::vector<ack_run>>(&numbered->what))
      return append_acks(to, numbered->number, *runs);
  short_message message;
  std::visit([&](const auto& one) { fill(message.initRoot<schema::Control>(), one); }, what);
  append_message(to, frame_kind::control, message);
}

void append_frame(frame_bytes& to, std::span<const outgoing_run> events) {
  const auto words = head_of(events);
  const std::span<const std::uint64_t> head(words.data(), words.size());
  std::uint32_t count = 0;
  std::size_t bytes = 8 + head.size_bytes();
  for (const auto& run : events) {
    count += run.events.size();
    bytes += envelope_bytes(run.events);
  }
  make_room(to, frame_header::size + bytes);
  append_header(to, frame_kind::events, bytes);
  append_numbers(to, static_cast<std::uint32_t>(head.size()), count);
  append_words(to, head);
  for (const auto& run : events)
    append_envelopes(to, run.events);
}

void append_frame(frame_bytes& to, frame_kind kind, std::span<const std::byte> body) {
  make_room(to, frame_header::size + body.size());
  append_header(to, kind, body.size());
  const auto* bytes = reinterpret_cast<const char*>(body.data());
  to.insert(to.end(), bytes, bytes + body.size());
}

} // namespace edupulse
