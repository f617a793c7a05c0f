#include "schemas/envelope.hpp"

#include "schemas/envelope.capnp.h"
#include "schemas/envelope_block.hpp"
#include "schemas/envelope_pool.hpp"
#include "schemas/payload_reader.hpp"
#include <algorithm>
#include <cassert>
#include <new>

namespace edupulse {

namespace {

static_assert(sizeof(envelope) % alignof(capnp::word) == 0, "the words follow the object directly");

std::string_view view(capnp::Text::Reader text) noexcept { return {text.begin(), text.size()}; }

capnp::ReaderOptions reader_options(std::size_t words, std::uint64_t times, int nesting) noexcept {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = times * words;
  options.nestingLimit = nesting;
  return options;
}

/// Reads the header of an envelope that has been checked, or that was written here.
class header_reader final : public capnp::MessageReader {
public:
  explicit header_reader(const envelope& what) noexcept
      : MessageReader(reader_options(what.words().size(), 64, 8)), words_(what.words()) {}

  kj::ArrayPtr<const capnp::word> getSegment(unsigned id) override {
    return id == 0 ? kj::ArrayPtr(words_.data(), words_.size()) : nullptr;
  }
  capnp::List<schema::Envelope::Entry>::Reader entries() {
    return getRoot<schema::Envelope>().getMetadata();
  }

private:
  std::span<const capnp::word> words_;
};

} // namespace

// -- envelope -------------------------------------------------------------------

envelope::~envelope() {
  if (release_tracker_ != nullptr)
    release_tracker_(tracker_);
}

void envelope::destroy(envelope* what) noexcept { envelope_access::free(what); }

std::string_view envelope::meta(std::string_view name) const {
  if (meta_count_ == 0)
    return {};
  header_reader reader(*this);
  for (auto entry : reader.entries())
    if (view(entry.getName()) == name)
      return view(entry.getValue());
  return {};
}

std::pair<std::string_view, std::string_view> envelope::meta_at(std::size_t index) const {
  assert(index < meta_count_);
  header_reader reader(*this);
  auto entry = reader.entries()[static_cast<unsigned>(index)];
  return {view(entry.getName()), view(entry.getValue())};
}

// -- envelope_access --------------------------------------------------------------

envelope* envelope_access::allocate(std::size_t word_count, std::size_t topic_bytes) {
  const std::size_t bytes = sizeof(envelope) + word_count * sizeof(capnp::word) + topic_bytes;
  auto* what = new (envelope_pool::allocate(bytes)) envelope;
  what->words_ = reinterpret_cast<const capnp::word*>(what + 1);
  what->word_count_ = static_cast<std::uint32_t>(word_count);
  what->footprint_ = static_cast<std::uint32_t>(bytes);
  return what;
}

void envelope_access::free(envelope* what) noexcept {
  const std::size_t bytes = what->footprint_;
  what->~envelope();
  envelope_pool::free(what, bytes);
}

void envelope_access::set_joined_topic(envelope& what, std::string_view name,
                                       std::string_view subject) {
  auto* text = reinterpret_cast<char*>(words(what) + what.word_count_);
  std::copy(name.begin(), name.end(), text); // of hostile bytes it may be empty, and nowhere
  text[name.size()] = '.';
  std::copy(subject.begin(), subject.end(), text + name.size() + 1);
  const std::string_view topic{text, name.size() + 1 + subject.size()};
  set_topic(what, topic, name.size(), text_hash(topic));
}

// -- payload_reader ---------------------------------------------------------------

namespace {

constexpr capnp::word null_payload[1] = {};

} // namespace

payload_reader::payload_reader(const envelope& what) noexcept
    : MessageReader(reader_options(what.words().size(), 64, 64)), words_(what.payload_words()) {
  if (words_.empty())
    words_ = null_payload;
}

kj::ArrayPtr<const capnp::word> payload_reader::getSegment(unsigned id) {
  return id == 0 ? kj::ArrayPtr(words_.data(), words_.size()) : nullptr;
}

} // namespace edupulse
