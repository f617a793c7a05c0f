#include "schemas/codec.hpp"

#include "schemas/envelope.capnp.h"
#include "schemas/envelope_block.hpp"
#include "schemas/planted.hpp"
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

// -- the header, word by word -----------------------------------------------------------
//
// Every event that arrives comes by here, and a general reader spends more on a header than the
// router spends on the event. So the outline is read by hand, which is little: an Envelope has no
// nested structs besides its metadata, and those that have any go through the generated reader. A
// test holds the two against each other. The encoding: https://capnproto.org/encoding.html.

namespace layout = envelope_layout;

enum class pointer_kind : std::uint8_t { structure, list, far, other };

pointer_kind kind_of(std::uint64_t pointer) noexcept {
  return static_cast<pointer_kind>(pointer & 3);
}

/// The words of a message whose root is an Envelope, or claims to be one.
class header_words {
public:
  explicit header_words(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  /// Everything else may be asked for when this is well. Looks at the header's own words only.
  expected<void> check_outline() {
    const std::uint64_t root = word(0);
    // A struct, directly behind the root pointer: then all it points to lies behind it.
    if (static_cast<std::uint32_t>(root) != 0 || root == 0)
      return malformed("its root is not a struct directly behind the first word");
    pointers_at_ = 1 + (root >> 32 & 0xffff);
    pointer_count_ = root >> 48;
    if (pointers_at_ + pointer_count_ > word_count())
      return malformed("its header is longer than the message");
    for (std::size_t i = 0; i < layout::payload; ++i)
      if (pointer(i) != 0 && kind_of(pointer(i)) != pointer_kind::list)
        return malformed("pointer " + std::to_string(i) + " of its header is not a list");
    if (pointer(layout::payload) != 0 &&
        kind_of(pointer(layout::payload)) != pointer_kind::structure)
      return malformed("its payload is not a struct");
    if (std::max(claimed_text(layout::name), claimed_text(layout::subject)) > max_topic_bytes)
      return malformed("its name or subject is longer than " + std::to_string(max_topic_bytes) +
                       " bytes");
    return {};
  }

  /// The same outline over a copy of the bytes.
  header_words over(std::span<const std::byte> copy) const noexcept {
    auto same = *this;
    same.bytes_ = copy;
    return same;
  }
  /// 0 for what the writer's version did not have, as everywhere in Cap'n Proto.
  std::uint64_t data(std::size_t index) const noexcept {
    return 1 + index < pointers_at_ ? word(1 + index) : 0;
  }
  bool has_metadata() const noexcept { return pointer(layout::metadata) != 0; }
  /// The index of the payload's pointer; the number of words when there is none.
  std::size_t payload_at() const noexcept {
    return pointer(layout::payload) == 0 ? word_count() : pointers_at_ + layout::payload;
  }
  /// Of `name.subject`; 0: the name is the topic.
  std::size_t joined_topic_bytes() const noexcept {
    const auto subject = claimed_text(layout::subject);
    return subject == 0 ? 0 : claimed_text(layout::name) + 1 + subject;
  }

  expected<std::string_view> text(std::size_t index, const char* what) const {
    const std::uint64_t at = pointer(index);
    if (at == 0)
      return std::string_view{};
    const auto begin = static_cast<std::int64_t>(pointers_at_ + index + 1) +
                       (static_cast<std::int32_t>(static_cast<std::uint32_t>(at)) >> 2);
    const std::uint64_t size = at >> 35; // with the zero at its end
    if ((at >> 32 & 7) != layout::byte_element || size == 0 ||
        begin < static_cast<std::int64_t>(pointers_at_ + pointer_count_) ||
        begin > static_cast<std::int64_t>(word_count()) ||
        size > bytes_.size() - static_cast<std::size_t>(begin) * sizeof(capnp::word))
      return malformed(std::string(what) + " is no text within the message");
    const auto* chars = reinterpret_cast<const char*>(bytes_.data()) +
                        static_cast<std::size_t>(begin) * sizeof(capnp::word);
    if (chars[size - 1] != 0)
      return malformed(std::string(what) + " is not NUL-terminated");
    return std::string_view{chars, size - 1};
  }

private:
  std::size_t word_count() const noexcept { return bytes_.size() / sizeof(capnp::word); }

  std::uint64_t word(std::size_t index) const noexcept {
    std::uint64_t value;
    std::memcpy(&value, bytes_.data() + index * sizeof value, sizeof value);
    return value;
  }
  std::uint64_t pointer(std::size_t index) const noexcept {
    return index < pointer_count_ ? word(pointers_at_ + index) : 0;
  }
  /// What a text pointer claims, without the zero at the end.
  std::size_t claimed_text(std::size_t index) const noexcept {
    const std::size_t count = pointer(index) >> 35;
    return count == 0 ? 0 : count - 1;
  }

  std::span<const std::byte> bytes_;
  std::size_t pointers_at_ = 0;
  std::size_t pointer_count_ = 0;
};

// -- metadata, through the generated reader -----------------------------------------------

expected<void> check_entries(capnp::List<schema::Envelope::Entry>::Reader entries) {
  if (entries.size() > max_meta_entries)
    return malformed(std::to_string(entries.size()) + " entries of metadata, the limit is " +
                     std::to_string(max_meta_entries));
  std::size_t bytes = 0;
  for (auto entry : entries) {
    const auto name = view(entry.getName());
    const auto value = view(entry.getValue());
    bytes += name.size() + value.size();
    if (bytes > max_meta_bytes && !planted("metadata_limit_ignored"))
      return malformed("more than " + std::to_string(max_meta_bytes) + " bytes of metadata");
    if (name.empty())
      return malformed("an entry of metadata has no name");
    if (!is_utf8(name) || !is_utf8(value))
      return malformed("metadata " + quote(name) + " is not UTF-8");
  }
  return {};
}

std::string description_of(const kj::Exception& thrown) {
  // Not what(): that one looks up a stack trace, by starting a program in debug builds.
  const auto text = thrown.getDescription();
  return {text.begin(), text.size()};
}

expected<void> read_metadata(envelope& what) {
  try {
    segment_reader reader(what.words()); // once over the header
    const auto entries = reader.getRoot<schema::Envelope>().getMetadata();
    envelope_access::set_meta_count(what, entries.size());
    return check_entries(entries);
  } catch (const kj::Exception& thrown) {
    return malformed(description_of(thrown));
  }
}

// -- all of it ------------------------------------------------------------------------------

expected<void> read_topic(envelope& what, const header_words& header, const envelope* before) {
  const auto name = header.text(layout::name, "its name");
  const auto subject = header.text(layout::subject, "its subject");
  if (!name || !subject)
    return tl::unexpected<error>((!name ? name : subject).error());
  if (before != nullptr && subject->empty() && *name == before->topic()) {
    envelope_access::set_topic(what, *name, name->size(), before->topic_hash());
    return {};
  }
  if (subject->empty())
    envelope_access::set_topic(what, *name, name->size(), text_hash(*name));
  else
    envelope_access::set_joined_topic(what, *name, *subject);
  if (auto ok = check_topic(what.topic()); !ok)
    return malformed(std::move(ok.error().text));
  return {};
}

expected<void> read_key(envelope& what, const header_words& header) {
  const auto key = header.text(layout::key, "its key");
  if (!key)
    return tl::unexpected<error>(key.error());
  if (key->size() > max_key_bytes)
    return malformed("a key of " + std::to_string(key->size()) + " bytes, the limit is " +
                     std::to_string(max_key_bytes));
  if (!is_utf8(*key))
    return malformed("its key is not UTF-8");
  envelope_access::set_key(what, *key, envelope_access::hash_of_key(*key));
  return {};
}

/// Fills the object beside the words from the words.
expected<void> read_header(envelope& what, const header_words& claimed, const envelope* before) {
  const auto header = claimed.over(std::as_bytes(what.words()));
  const event_id id{from_halves(header.data(layout::id_high), header.data(layout::id_low))};
  const node_id publisher{
      from_halves(header.data(layout::publisher_high), header.data(layout::publisher_low))};
  if (id.is_nil())
    return malformed("it has no id");
  if (header.data(layout::schema_id) == 0)
    return malformed("it has no schema id");
  envelope_access::set_identity(what, id, publisher,
                                static_cast<std::int64_t>(header.data(layout::occurred_at)));
  envelope_access::set_schema(what, header.data(layout::schema_id),
                              static_cast<std::uint16_t>(header.data(layout::schema_version)),
                              nullptr);
  envelope_access::set_payload_at(what, header.payload_at());
  if (auto ok = read_topic(what, header, before); !ok)
    return ok;
  if (auto ok = read_key(what, header); !ok)
    return ok;
  return header.has_metadata() ? read_metadata(what) : expected<void>{};
}

} // namespace

// -- what the header of this file promises ------------------------------------------------

expected<envelope_ptr> decode(std::span<const std::byte> bytes, const decode_limits& limits,
                              const envelope* before) {
  const std::size_t max_bytes = std::min(limits.max_bytes, hard_max_envelope_bytes);
  if (bytes.size() > max_bytes)
    return fail(errc::too_large, "an envelope of " + std::to_string(bytes.size()) +
                                     " bytes: the limit is " + std::to_string(max_bytes));
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0)
    return malformed(std::to_string(bytes.size()) + " bytes, which is not a number of words");
  header_words claimed(bytes);
  if (auto ok = claimed.check_outline(); !ok)
    return tl::unexpected(std::move(ok.error()));

  envelope* block =
      envelope_access::allocate(bytes.size() / sizeof(capnp::word), claimed.joined_topic_bytes());
  envelope_ptr what = envelope_access::adopt(block);
  std::memcpy(static_cast<void*>(envelope_access::words(*block)), bytes.data(), bytes.size());
  if (auto ok = read_header(*block, claimed, before); !ok)
    return tl::unexpected(std::move(ok.error()));
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

expected<void> catching(errc code, void (*body)(void* self), void* self) {
  try {
    body(self);
    return {};
  } catch (const kj::Exception& thrown) {
    return fail(code, description_of(thrown));
  }
}

} // namespace edupulse
