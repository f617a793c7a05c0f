#include "schemas/codec.hpp"

#include "schemas/envelope.capnp.h"
#include "schemas/envelope_block.hpp"
#include "schemas/segment_reader.hpp"
#include "schemas/topic.hpp"
#include "schemas/utf8.hpp"
#include <algorithm>
#include <cstring>
#include <kj/exception.h>
#include <memory>
#include <string>

namespace edupulse {

namespace {

std::string_view view(capnp::Text::Reader text) noexcept { return {text.begin(), text.size()}; }

tl::unexpected<error> malformed(std::string why) {
  return fail(errc::malformed, "not an envelope: " + std::move(why));
}

// -- before any reader sees it --------------------------------------------------------

enum class pointer_kind : std::uint8_t { structure, list, far, other };

pointer_kind kind_of(std::uint64_t pointer) noexcept {
  return static_cast<pointer_kind>(pointer & 3);
}

/// Where the parts of the header are, from the root pointer and the pointers of its struct.
struct outline {
  std::size_t payload_at = 0;  // index of its pointer; the number of words when there is none
  std::size_t topic_bytes = 0; // 0: the name is the topic
};

constexpr std::size_t name_index = 0;
constexpr std::size_t subject_index = 1;
constexpr std::size_t payload_index = 4;

class outline_reader {
public:
  explicit outline_reader(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  expected<outline> read() {
    const std::uint64_t root = word(0);
    // A struct, directly behind the root pointer: then all it points to lies behind it.
    if (static_cast<std::uint32_t>(root) != 0 || root == 0)
      return malformed("its root is not a struct directly behind the first word");
    const std::size_t data = root >> 32 & 0xffff;
    pointers_at_ = 1 + data;
    pointer_count_ = root >> 48;
    if (pointers_at_ + pointer_count_ > word_count())
      return malformed("its header is longer than the message");
    for (std::size_t i = 0; i < payload_index; ++i)
      if (pointer(i) != 0 && kind_of(pointer(i)) != pointer_kind::list)
        return malformed("pointer " + std::to_string(i) + " of its header is not a list");
    outline found;
    found.payload_at = word_count();
    if (const std::uint64_t payload = pointer(payload_index); payload != 0) {
      if (kind_of(payload) != pointer_kind::structure)
        return malformed("its payload is not a struct");
      found.payload_at = pointers_at_ + payload_index;
    }
    const std::size_t name = text_bytes(name_index);
    const std::size_t subject = text_bytes(subject_index);
    if (std::max(name, subject) > max_topic_bytes)
      return malformed("its name or subject is longer than " + std::to_string(max_topic_bytes) +
                       " bytes");
    if (subject != 0)
      found.topic_bytes = name + 1 + subject;
    return found;
  }

private:
  std::size_t word_count() const noexcept { return bytes_.size() / sizeof(capnp::word); }

  std::uint64_t word(std::size_t index) const noexcept {
    std::uint64_t value;
    std::memcpy(&value, bytes_.data() + index * sizeof value, sizeof value);
    return value;
  }

  /// 0, null, for a pointer that the writer's version did not have.
  std::uint64_t pointer(std::size_t index) const noexcept {
    return index < pointer_count_ ? word(pointers_at_ + index) : 0;
  }

  /// What a text pointer claims, without the zero at the end.
  std::size_t text_bytes(std::size_t index) const noexcept {
    const std::size_t count = pointer(index) >> 35;
    return count == 0 ? 0 : count - 1;
  }

  std::span<const std::byte> bytes_;
  std::size_t pointers_at_ = 0;
  std::size_t pointer_count_ = 0;
};

// -- the header, through the generated reader -------------------------------------------

expected<void> check_meta(capnp::List<schema::Envelope::Entry>::Reader entries) {
  if (entries.size() > max_meta_entries)
    return malformed(std::to_string(entries.size()) + " entries of metadata, the limit is " +
                     std::to_string(max_meta_entries));
  std::size_t bytes = 0;
  for (auto entry : entries) {
    const auto name = view(entry.getName());
    const auto value = view(entry.getValue());
    bytes += name.size() + value.size();
    if (bytes > max_meta_bytes)
      return malformed("more than " + std::to_string(max_meta_bytes) + " bytes of metadata");
    if (name.empty())
      return malformed("an entry of metadata has no name");
    if (!is_utf8(name) || !is_utf8(value))
      return malformed("metadata " + quote(name) + " is not UTF-8");
  }
  return {};
}

expected<void> set_topic(envelope& what, std::string_view name, std::string_view subject,
                         std::size_t topic_bytes) {
  if (subject.empty()) {
    if (topic_bytes != 0)
      return malformed("its subject cannot be read");
    envelope_access::set_topic(what, name, name.size(), text_hash(name));
  } else {
    if (topic_bytes != name.size() + 1 + subject.size())
      return malformed("its name or subject cannot be read");
    envelope_access::set_joined_topic(what, name, subject);
  }
  if (auto ok = check_topic(what.topic()); !ok)
    return malformed(std::move(ok.error().text));
  return {};
}

/// Fills the object beside the words from the words.
expected<void> read_header(envelope& what, const outline& found) {
  segment_reader reader(what.words()); // once over the header
  const auto header = reader.getRoot<schema::Envelope>();
  const event_id id{from_halves(header.getIdHigh(), header.getIdLow())};
  const node_id publisher{from_halves(header.getPublisherHigh(), header.getPublisherLow())};
  if (id.is_nil())
    return malformed("it has no id");
  if (header.getSchemaId() == 0)
    return malformed("it has no schema id");
  envelope_access::set_identity(what, id, publisher, header.getOccurredAt());
  envelope_access::set_schema(what, header.getSchemaId(), header.getSchemaVersion(), nullptr);
  if (auto ok =
          set_topic(what, view(header.getName()), view(header.getSubject()), found.topic_bytes);
      !ok)
    return ok;
  const auto key = view(header.getKey());
  if (key.size() > max_key_bytes)
    return malformed("a key of " + std::to_string(key.size()) + " bytes, the limit is " +
                     std::to_string(max_key_bytes));
  if (!is_utf8(key))
    return malformed("its key is not UTF-8");
  envelope_access::set_key(what, key, envelope_access::hash_of_key(key));
  const auto entries = header.getMetadata();
  if (auto ok = check_meta(entries); !ok)
    return ok;
  envelope_access::set_meta_count(what, entries.size());
  envelope_access::set_payload_at(what, found.payload_at);
  return {};
}

std::string description_of(const kj::Exception& thrown) {
  // Not what(): that one looks up a stack trace, by starting a program in debug builds.
  const auto text = thrown.getDescription();
  return {text.begin(), text.size()};
}

} // namespace

// -- what the header of this file promises ------------------------------------------------

expected<envelope_ptr> decode(std::span<const std::byte> bytes, const decode_limits& limits) {
  const std::size_t max_bytes = std::min(limits.max_bytes, hard_max_envelope_bytes);
  if (bytes.size() > max_bytes)
    return fail(errc::too_large, "an envelope of " + std::to_string(bytes.size()) +
                                     " bytes: the limit is " + std::to_string(max_bytes));
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0)
    return malformed(std::to_string(bytes.size()) + " bytes, which is not a number of words");
  auto found = outline_reader(bytes).read();
  if (!found)
    return tl::unexpected(std::move(found.error()));

  envelope* block =
      envelope_access::allocate(bytes.size() / sizeof(capnp::word), found->topic_bytes);
  envelope_ptr what = envelope_access::adopt(block);
  std::memcpy(static_cast<void*>(envelope_access::words(*block)), bytes.data(), bytes.size());
  try {
    if (auto ok = read_header(*block, *found); !ok)
      return tl::unexpected(std::move(ok.error()));
  } catch (const kj::Exception& thrown) {
    return malformed(description_of(thrown));
  }
  return what;
}

std::optional<error> payload_fault(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const kj::Exception& e) {
    return error{errc::malformed, "the payload cannot be read: " + description_of(e)};
  } catch (...) {
    return std::nullopt;
  }
}

expected<void> catching(errc code, const std::function<void()>& body) {
  try {
    body();
    return {};
  } catch (const kj::Exception& thrown) {
    return fail(code, description_of(thrown));
  }
}

} // namespace edupulse
