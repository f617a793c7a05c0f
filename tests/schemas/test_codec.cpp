#include "schemas/codec.hpp"

#include "kinds.capnp.h"
#include "schemas/envelope.capnp.h"
#include "schemas/hash.hpp"
#include "tests/schemas/samples.hpp"
#include "tests/support/capnp_words.hpp"
#include "tests/support/catch.hpp"
#include <capnp/message.h>
#include <cstring>
#include <string>
#include <vector>

using namespace edupulse;
using kinds::inner::Tree;
using namespace edupulse::test;

namespace {

// Where the writer of this library puts things; see envelope_writer.cpp.
constexpr std::size_t root = 0;
constexpr std::size_t name_pointer = 8;
constexpr std::size_t subject_pointer = 9;
constexpr std::size_t key_pointer = 10;
constexpr std::size_t meta_pointer = 11;
constexpr std::size_t payload_pointer = 12;

/// A valid message to spoil.
struct message {
  std::vector<std::uint64_t> words;

  explicit message(const envelope_ptr& what) : words(what->words().size()) {
    std::memcpy(words.data(), what->words().data(), what->words().size_bytes());
  }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(words)); }

  message with(std::size_t at, std::uint64_t value) const {
    message copy = *this;
    copy.words.at(at) = value;
    return copy;
  }
  /// Appends words, and makes the pointer at `slot` a list that begins there.
  message with_list(std::size_t slot, std::uint64_t element, std::uint64_t count,
                    std::vector<std::uint64_t> content) const {
    message copy = *this;
    const auto offset = static_cast<std::int32_t>(words.size() - slot - 1);
    copy.words.at(slot) = list_pointer(offset, element, count);
    copy.words.insert(copy.words.end(), content.begin(), content.end());
    return copy;
  }
};

void check_refused(const message& bad, std::string_view why) {
  const auto what = decode(bad.bytes());
  INFO("expected: " << why);
  REQUIRE_FALSE(what);
  CHECK(what.error().code == errc::malformed);
  INFO("it says: " << what.error().text);
  CHECK(what.error().text.find(why) != std::string::npos);
}

message with_metadata() {
  static const std::pair<std::string_view, std::string_view> meta[] = {{"tenant", "school-1"},
                                                                       {"trace", "t"}};
  auto header = sample_header();
  header.meta = meta;
  header.subject = "eu.math";
  return message(sample_lesson(header));
}

std::string text(capnp::Text::Reader what) { return {what.begin(), what.size()}; }

/// What the validator passes must be what the generated reader sees, field by field.
void check_same(const envelope& what) {
  kj::ArrayPtr<const capnp::word> segment(what.words().data(), what.words().size());
  capnp::SegmentArrayMessageReader reader(kj::arrayPtr(&segment, 1));
  const auto header = reader.getRoot<schema::Envelope>();
  REQUIRE(what.id().value == from_halves(header.getIdHigh(), header.getIdLow()));
  REQUIRE(what.occurred_at_ms() == header.getOccurredAt());
  REQUIRE(what.schema_id() == header.getSchemaId());
  REQUIRE(what.schema_version() == header.getSchemaVersion());
  REQUIRE(what.name() == text(header.getName()));
  REQUIRE(what.subject() == text(header.getSubject()));
  REQUIRE(what.key() == text(header.getKey()));
  REQUIRE(what.meta_count() == header.getMetadata().size());
  for (std::size_t i = 0; i < what.meta_count(); ++i)
    REQUIRE(what.meta_at(i).second ==
            text(header.getMetadata()[static_cast<unsigned>(i)].getValue()));
}

/// Everything a handler could read. Throws what its reader throws.
std::size_t read_all(const envelope& what) {
  payload_reader reader(what);
  const auto lesson = reader.as<LessonPublished>();
  return lesson.getLessonId().size() + lesson.getTeacherId().size() + lesson.getTitle().size() +
         lesson.getBody().size();
}

bool readable(const envelope& what) {
  try {
    read_all(what);
    return true;
  } catch (...) {
    REQUIRE(payload_fault(std::current_exception()));
    return false;
  }
}

} // namespace

TEST_CASE("codec: what is encoded decodes to the same bytes and the same fields") {
  const message original = with_metadata();
  const auto what = decode(original.bytes()).value();
  CHECK(std::memcmp(encode(*what).data(), original.bytes().data(), original.bytes().size()) == 0);
  check_same(*what);
  CHECK(what->topic() == "lesson.published.eu.math");
  CHECK(what->topic_hash() == text_hash("lesson.published.eu.math"));
  CHECK(what->key_hash() == text_hash("lesson-42"));
  CHECK(what->meta("tenant") == "school-1");
  CHECK(what->publisher() == test::sample_node);
  CHECK(readable(*what));
}

TEST_CASE("codec: the bytes may lie anywhere and go afterwards") {
  const auto original = sample_lesson();
  envelope_ptr what;
  {
    std::vector<std::byte> shifted(original->words().size_bytes() + 1);
    std::memcpy(shifted.data() + 1, original->words().data(), original->words().size_bytes());
    what = decode(std::span(shifted).subspan(1)).value();
  }
  CHECK(reinterpret_cast<std::uintptr_t>(what->words().data()) % 8 == 0);
  CHECK(what->key() == "lesson-42");
  CHECK(readable(*what));
}

TEST_CASE("codec: the limit is the limit, one word more is too large, and nothing is no envelope") {
  const message original(sample_lesson());
  decode_limits limits;
  limits.max_bytes = original.bytes().size();
  CHECK(decode(original.bytes(), limits));
  limits.max_bytes -= 1;
  const auto refused = decode(original.bytes(), limits);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::too_large);
  CHECK(decode({}).error().code == errc::malformed);
}

TEST_CASE("codec: a message cut at any byte is refused") {
  const message original = with_metadata();
  for (std::size_t bytes = 0; bytes < original.bytes().size(); ++bytes) {
    const auto what = decode(original.bytes().first(bytes));
    INFO(bytes);
    REQUIRE_FALSE(what);
    REQUIRE(what.error().code == errc::malformed);
  }
}

TEST_CASE("codec: the root must be a struct directly behind its pointer") {
  const message good(sample_lesson());
  check_refused(good.with(root, 0), "its root");
  check_refused(good.with(root, struct_pointer(1, 7, 5)), "its root");
  check_refused(good.with(root, struct_pointer(-2, 7, 5)), "its root");
  check_refused(good.with(root, list_pointer(0, byte_element, 8)), "its root");
  check_refused(good.with(root, far_pointer), "its root");
  check_refused(good.with(root, capability), "its root");
  check_refused(good.with(root, struct_pointer(0, 0xffff, 0xffff)), "longer than the message");
}

TEST_CASE("codec: pointers of the header that are no lists are refused") {
  const message good = with_metadata();
  for (const std::size_t slot : {name_pointer, subject_pointer, key_pointer, meta_pointer})
    for (const std::uint64_t pointer : {far_pointer, capability, struct_pointer(5, 1, 1)})
      check_refused(good.with(slot, pointer), "of its header is not a list");
}

TEST_CASE("codec: texts outside the message, of other elements, or without an end are refused") {
  const message good(sample_lesson());
  for (const std::size_t slot : {name_pointer, key_pointer}) {
    INFO(slot);
    CHECK_FALSE(decode(good.with(slot, list_pointer(1 << 20, byte_element, 17)).bytes()));
    CHECK_FALSE(decode(good.with(slot, list_pointer(-(1 << 20), byte_element, 17)).bytes()));
    CHECK_FALSE(decode(good.with(slot, list_pointer(0, byte_element, most_elements)).bytes()));
    CHECK_FALSE(decode(good.with(slot, list_pointer(0, pointer_element, 2)).bytes()));
    CHECK_FALSE(decode(good.with(slot, list_pointer(0, composite, 1)).bytes()));
    CHECK_FALSE(decode(good.with(slot, list_pointer(0, void_element, most_elements)).bytes()));
    CHECK_FALSE(decode(good.with(slot, list_pointer(0, byte_element, 0)).bytes()));
  }
  check_refused(good.with_list(key_pointer, byte_element, 8, {0x6161616161616161}),
                "NUL-terminated");
  // The header's own words would do as a text: the word before the payload's pointer ends with 0.
  check_refused(good.with(key_pointer, list_pointer(-3, byte_element, 8)), "within the message");
}

TEST_CASE("codec: a header of an older or a newer writer is read as far as it goes") {
  const message good = with_metadata();
  auto older = good; // six words of data, as before there were versions
  older.words.erase(older.words.begin() + 7);
  older.words[root] = struct_pointer(0, 6, 5);
  const auto without = decode(older.bytes()).value();
  CHECK(without->schema_version() == 0);
  CHECK(without->topic() == "lesson.published.eu.math");
  check_same(*without);
  auto newer = good; // a word of data and a pointer more than are known
  newer.words.insert(newer.words.begin() + payload_pointer + 1, 0);
  newer.words.insert(newer.words.begin() + 8, 42);
  newer.words[root] = struct_pointer(0, 8, 6);
  for (std::size_t slot = name_pointer + 1; slot <= payload_pointer + 1; ++slot)
    newer.words[slot] += 1 << 2; // what they point to is one word further on
  const auto more = decode(newer.bytes()).value();
  check_same(*more);
  CHECK(more->key() == "lesson-42");
  CHECK(readable(*more));
}

TEST_CASE("codec: a topic like the one before is taken over, and any other is looked at") {
  const message good(sample_lesson());
  const auto first = decode(good.bytes()).value();
  const auto second = decode(good.bytes(), {}, first.get()).value();
  CHECK(second->topic() == first->topic());
  CHECK(second->topic().data() != first->topic().data());
  CHECK(second->topic_hash() == text_hash("lesson.published"));
  CHECK(second->name() == "lesson.published");
  const auto other = decode(with_metadata().bytes(), {}, first.get()).value();
  CHECK(other->topic_hash() == text_hash("lesson.published.eu.math"));
  const auto bad = good.with_list(name_pointer, byte_element, 3, {0x20'61});
  CHECK_FALSE(decode(bad.bytes(), {}, first.get()));
}

TEST_CASE("codec: names, subjects and keys are held to their rules") {
  const message good = with_metadata();
  const std::uint64_t a_space = 0x20'61; // "a "
  const std::uint64_t not_utf8 = 0xff;
  check_refused(good.with(name_pointer, 0), "topic");
  check_refused(good.with_list(name_pointer, byte_element, 3, {a_space}), "none of A-Z");
  check_refused(good.with_list(subject_pointer, byte_element, 2, {'*'}), "wildcard");
  check_refused(good.with_list(subject_pointer, byte_element, 2, {'$'}), "\"$\"");
  check_refused(good.with_list(subject_pointer, byte_element, 2, {'.'}), "empty token");
  check_refused(good.with_list(key_pointer, byte_element, 2, {not_utf8}), "not UTF-8");
  std::vector<std::uint64_t> long_text(66, 0x6161616161616161);
  long_text.back() = 0;
  check_refused(good.with_list(name_pointer, byte_element, 521, long_text), "longer than 512");
  check_refused(good.with_list(key_pointer, byte_element, 521, long_text), "a key of 520 bytes");
}

TEST_CASE("codec: an envelope has an id and a schema") {
  const message good(sample_lesson());
  check_refused(good.with(1, 0).with(2, 0), "no id");
  check_refused(good.with(6, 0), "no schema id");
}

TEST_CASE("codec: metadata without end is refused at once") {
  const message good(sample_lesson());
  // Half a billion elements of no size: nothing on the wire, an age to walk through.
  CHECK_FALSE(decode(good.with_list(meta_pointer, void_element, most_elements, {}).bytes()));
  CHECK_FALSE(decode(good.with_list(meta_pointer, composite, 0, {most_elements << 2}).bytes()));
  CHECK_FALSE(decode(good.with_list(meta_pointer, composite, 0, {65ULL << 2}).bytes()));
  // More entries than the list has words for.
  CHECK_FALSE(
      decode(good.with_list(meta_pointer, composite, 2, {60ULL << 2 | 2ULL << 48, 0, 0}).bytes()));
  // 64 entries without names.
  CHECK_FALSE(decode(good.with_list(meta_pointer, composite, 0, {64ULL << 2}).bytes()));
}

TEST_CASE("codec: entries of metadata that share one large text are counted each") {
  const message good(sample_lesson());
  // 64 entries whose name and value are the same 4 KiB: half a MiB to whoever copies them.
  std::vector<std::uint64_t> content{64ULL << 2 | 2ULL << 48};
  constexpr std::int32_t pointers = 128;
  for (std::int32_t i = 0; i < pointers; ++i)
    content.push_back(list_pointer(pointers - 1 - i, byte_element, 4'097));
  content.insert(content.end(), 512, 0x6161616161616161);
  content.push_back(0);
  CHECK_FALSE(decode(good.with_list(meta_pointer, composite, 128, content).bytes()));
}

TEST_CASE("codec: a payload is a struct or null") {
  const message good(sample_lesson());
  check_refused(good.with(payload_pointer, list_pointer(0, byte_element, 8)), "not a struct");
  check_refused(good.with(payload_pointer, far_pointer), "not a struct");
  check_refused(good.with(payload_pointer, capability), "not a struct");
  const auto none = decode(good.with(payload_pointer, 0).bytes()).value();
  CHECK(read_all(*none) == 0);
}

TEST_CASE("codec: a payload that lies elsewhere passes the border and fails its own event only") {
  const message good(sample_lesson());
  for (const std::uint64_t pointer :
       {struct_pointer(1 << 20, 0, 4), struct_pointer(-100, 0, 4),
        struct_pointer(0, 0xffff, 0xffff), struct_pointer(-3, 0, 4)}) {
    const auto what = decode(good.with(payload_pointer, pointer).bytes());
    REQUIRE(what);
    CHECK_FALSE(readable(**what));
  }
}

TEST_CASE("codec: a payload that contains itself stops its reader, not the border") {
  const auto tree = to_event<Tree>([](Tree::Builder t) { t.initChild(); }, sample_header());
  message cyclic(*tree);
  const std::size_t child = payload_pointer + 1;  // the first pointer of the payload
  cyclic.words[child] = struct_pointer(-1, 0, 3); // to the struct that it is in
  const auto what = decode(cyclic.bytes()).value();
  payload_reader reader(*what);
  const auto walk = [&] {
    for (auto t = reader.as<Tree>(); t.hasChild(); t = t.getChild()) {
    }
  };
  CHECK_THROWS(walk());
}

TEST_CASE("codec: a thousand pointers to one text stop their reader by its limit") {
  const auto tree = to_event<Tree>(
      [](Tree::Builder t) {
        t.setLabel(std::string(60'000, 'x'));
        t.initLabels(1'000);
      },
      sample_header());
  message bomb(*tree);
  const std::size_t label = payload_pointer + 2;
  const std::size_t labels = payload_pointer + 3;
  const std::size_t text_at = label + 1 + (bomb.words[label] >> 2 & 0x3fffffff);
  const std::size_t list_at = labels + 1 + (bomb.words[labels] >> 2 & 0x3fffffff);
  for (std::size_t i = list_at; i < list_at + 1'000; ++i)
    bomb.words[i] =
        list_pointer(static_cast<std::int32_t>(text_at) - static_cast<std::int32_t>(i) - 1,
                     byte_element, 60'001);
  const auto what = decode(bomb.bytes()).value();
  payload_reader reader(*what);
  const auto all = reader.as<Tree>().getLabels();
  std::size_t bytes = 0;
  const auto walk = [&] {
    for (auto one : all)
      bytes += one.size();
  };
  CHECK_THROWS(walk());
  CHECK(bytes <= 64 * what->words().size_bytes());
}

TEST_CASE("codec: far pointers inside a payload lead nowhere") {
  const message good(sample_lesson());
  for (const std::uint64_t segment : {0ULL, 1ULL, 0xffffffffULL}) {
    const auto what =
        decode(good.with(payload_pointer + 1, 2 | 0ULL << 3 | segment << 32).bytes()).value();
    CHECK_NOTHROW(readable(*what));
  }
  const auto elsewhere = decode(good.with(payload_pointer + 1, 2 | 1ULL << 32).bytes()).value();
  CHECK_FALSE(readable(*elsewhere));
}

TEST_CASE("codec: no damage to a message crashes, and what passes reads the same everywhere") {
  const message good = with_metadata();
  std::uint64_t state = 20'261'124;
  const auto draw = [&](std::uint64_t below) {
    state = mix_bits(state + 0x9e3779b97f4a7c15ULL);
    return state % below;
  };
  int passed = 0;
  int unreadable = 0;
  for (int run = 0; run < 40'000; ++run) {
    message bad = good;
    for (std::uint64_t edits = 1 + draw(3); edits > 0; --edits) {
      std::uint64_t& word = bad.words[draw(bad.words.size())];
      switch (draw(4)) {
      case 0:
        word ^= std::uint64_t{1} << draw(64);
        break;
      case 1:
        word = draw(UINT64_MAX);
        break;
      case 2:
        word = bad.words[draw(bad.words.size())];
        break;
      default:
        word += draw(16) - 8;
      }
    }
    if (draw(8) == 0)
      bad.words.resize(draw(bad.words.size() + 1));
    if (const auto what = decode(bad.bytes())) {
      ++passed;
      check_same(**what);
      unreadable += !readable(**what);
    }
  }
  CHECK(passed > 1'000); // else the damage is too coarse to test anything
  CHECK(unreadable > 100);
}
