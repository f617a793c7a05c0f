// The validator against envelopes that other releases and other programs write.

#include "schemas/codec.hpp"
#include "schemas/envelope.capnp.h"
#include "schemas/payload_reader.hpp"
#include "tests/other_writers.capnp.h"
#include "tests/schemas/samples.hpp"
#include "tests/support/catch.hpp"
#include <capnp/message.h>

using namespace edupulse;

TEST_CASE("codec: 64 entries of metadata are accepted, 65 are not") {
  for (const unsigned count : {64U, 65U}) {
    capnp::MallocMessageBuilder builder;
    auto header = builder.initRoot<schema::Envelope>();
    header.setIdLow(1);
    header.setSchemaId(77);
    header.setName("lesson.published");
    for (auto entry : header.initMetadata(count))
      entry.setName("name");
    const auto segment = builder.getSegmentsForOutput()[0];
    const auto what = decode(std::as_bytes(std::span(segment.begin(), segment.size())));
    CHECK(what.has_value() == (count == 64));
  }
}

TEST_CASE("codec: 16 KiB of metadata, names and values, are accepted, and not a byte more") {
  for (const unsigned bytes : {16'384U, 16'385U}) {
    capnp::MallocMessageBuilder builder(4096); // all of it in one segment
    auto header = builder.initRoot<schema::Envelope>();
    header.setIdLow(1);
    header.setSchemaId(77);
    header.setName("lesson.published");
    auto entries = header.initMetadata(2);
    for (auto entry : entries)
      entry.setName("name");
    entries[0].initValue(10'000);
    entries[1].initValue(bytes - 10'000 - 8);
    const auto segment = builder.getSegmentsForOutput()[0];
    const auto what = decode(std::as_bytes(std::span(segment.begin(), segment.size())));
    CHECK(what.has_value() == (bytes == 16'384));
  }
}

TEST_CASE("codec: an envelope from before there was metadata is accepted") {
  capnp::MallocMessageBuilder builder;
  auto older = builder.initRoot<other_writers::Older>();
  older.setIdLow(1);
  older.setSchemaId(77);
  older.setName("lesson.published");
  const auto segment = builder.getSegmentsForOutput()[0];
  const auto what = decode(std::as_bytes(std::span(segment.begin(), segment.size()))).value();
  CHECK(what->topic() == "lesson.published");
  CHECK(what->meta_count() == 0);
  CHECK(what->key().empty());
  payload_reader reader(*what);
  CHECK(reader.as<LessonPublished>().getTitle() == "");
}

TEST_CASE("codec: an envelope with fields of a later release is accepted and kept whole") {
  capnp::MallocMessageBuilder builder;
  auto newer = builder.initRoot<other_writers::Newer>();
  newer.setIdLow(1);
  newer.setSchemaId(77);
  newer.setName("lesson.published");
  newer.setSubject("eu");
  newer.setPriority(9);
  newer.setSignature(kj::StringPtr("signed").asBytes());
  auto entry = newer.initMetadata(1)[0];
  entry.setName("tenant");
  entry.setValue("school-1");
  entry.setOrigin("gateway");
  newer.getPayload().initAs<LessonPublished>().setTitle("title");
  const auto segment = builder.getSegmentsForOutput()[0];
  const auto what = decode(std::as_bytes(std::span(segment.begin(), segment.size()))).value();
  CHECK(what->topic() == "lesson.published.eu");
  CHECK(what->meta("tenant") == "school-1");
  CHECK(what->words().size() == segment.size());
  payload_reader reader(*what);
  CHECK(reader.as<LessonPublished>().getTitle() == "title");
}
