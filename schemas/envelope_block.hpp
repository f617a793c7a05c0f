#pragma once
// The inside of an envelope, for the two that make them: envelope_writer and the validator.

#include "schemas/envelope.hpp"
#include "schemas/hash.hpp"
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace edupulse {

/// The struct Envelope of envelope.capnp, as it lies behind its root pointer: words of data, then
/// pointers.
namespace envelope_layout {
enum data : std::size_t {
  id_high,
  id_low,
  publisher_high,
  publisher_low,
  occurred_at,
  schema_id,
  schema_version, // in the low 16 bits
  data_words
};
enum pointer : std::size_t { name, subject, key, metadata, payload, pointer_count };
inline constexpr std::uint64_t byte_element = 2; ///< of a list; a text is a list of bytes
} // namespace envelope_layout

/// One allocation holds the object, the words of the message, and the topic's text when it is not
/// in the message as it stands (a name and a subject are two texts there).
struct envelope_access {
  /// Words are not initialized. Never null; throws `std::bad_alloc`.
  static envelope* allocate(std::size_t word_count, std::size_t topic_bytes);
  static void free(envelope* what) noexcept;

  static capnp::word* words(envelope& what) noexcept {
    return const_cast<capnp::word*>(what.words_);
  }
  /// Writes `name.subject` behind the words; `topic_bytes` of `allocate` must be their size.
  static void set_joined_topic(envelope& what, std::string_view name, std::string_view subject);
  /// `topic` must lie within the words. `hash`: `text_hash` of it.
  static void set_topic(envelope& what, std::string_view topic, std::size_t name_bytes,
                        std::uint64_t hash) noexcept {
    what.topic_ = topic;
    what.name_bytes_ = static_cast<std::uint16_t>(name_bytes);
    what.topic_hash_ = hash;
  }
  /// `key` must lie within the words, or be empty. `hash`: `hash_of_key` of it.
  static void set_key(envelope& what, std::string_view key, std::uint64_t hash) noexcept {
    what.key_ = key;
    what.key_hash_ = hash;
  }
  static std::uint64_t hash_of_key(std::string_view key) noexcept {
    if (key.empty())
      return 0;
    const std::uint64_t hash = text_hash(key);
    return hash == 0 ? 1 : hash;
  }

  static void set_identity(envelope& what, const event_id& id, const node_id& publisher,
                           std::int64_t occurred_at_ms) noexcept {
    what.id_ = id;
    what.publisher_ = publisher;
    what.occurred_at_ms_ = occurred_at_ms;
  }
  static void set_schema(envelope& what, std::uint64_t schema_id, std::uint16_t version,
                         const event_type* type) noexcept {
    what.schema_id_ = schema_id;
    what.schema_version_ = version;
    what.type_ = type;
  }
  /// The index of the payload's pointer, or the number of words when there is none.
  static void set_payload_at(envelope& what, std::size_t at) noexcept {
    what.payload_at_ = static_cast<std::uint32_t>(at);
  }
  static void set_meta_count(envelope& what, std::size_t count) noexcept {
    what.meta_count_ = static_cast<std::uint16_t>(count);
  }
  static envelope_ptr adopt(envelope* what) noexcept { return envelope_ptr(what); }
};

} // namespace edupulse
