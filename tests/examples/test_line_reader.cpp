#include "line_reader.hpp"
#include "tests/support/catch.hpp"
#include <fcntl.h>
#include <thread>
#include <unistd.h>

using namespace edupulse;
using namespace edupulse::search;

namespace {

/// A pipe that is filled by a thread, so that texts may be longer than what a pipe holds.
class piped {
public:
  explicit piped(std::string text) {
    REQUIRE(::pipe(ends_) == 0);
    writer_ = std::thread([this, text = std::move(text)] {
      for (std::size_t at = 0; at < text.size();) {
        const auto wrote = ::write(ends_[1], text.data() + at, text.size() - at);
        if (wrote <= 0)
          break;
        at += static_cast<std::size_t>(wrote);
      }
      ::close(ends_[1]);
    });
  }
  ~piped() {
    ::close(ends_[0]);
    writer_.join();
  }
  int fd() const { return ends_[0]; }

private:
  int ends_[2] = {-1, -1};
  std::thread writer_;
};

/// "1:first 2:second 3!" for two lines and one that is too long.
std::string read_all(const std::string& text, std::size_t max = line_reader::default_max) {
  piped from(text);
  line_reader reader(from.fd(), -1, max);
  std::string seen;
  while (true) {
    const auto line = reader.next();
    REQUIRE(line);
    if (!*line)
      return seen;
    seen += (seen.empty() ? "" : " ") + std::to_string((*line)->number) +
            ((*line)->too_long ? "!" : ":" + std::string((*line)->text));
  }
}

} // namespace

TEST_CASE("line reader: lines have numbers, blank ones too, which are skipped") {
  CHECK(read_all("a\nb\n\n  \t\nc\n") == "1:a 2:b 5:c");
}

TEST_CASE("line reader: the last line needs no end, and CR LF is an end") {
  CHECK(read_all("a\r\nb\r\n\r\nc") == "1:a 2:b 4:c");
  CHECK(read_all("a") == "1:a");
  CHECK(read_all("").empty());
  CHECK(read_all("\n").empty());
  CHECK(read_all("\r").empty());
}

TEST_CASE("line reader: a byte order mark at the start is no part of the first line") {
  CHECK(read_all("\xEF\xBB\xBF{}\n\xEF\xBB\xBF") == "1:{} 2:\xEF\xBB\xBF");
}

TEST_CASE("line reader: a line of exactly the limit is read, one byte more is not") {
  CHECK(read_all("12345678\n123456789\nx\n", 8) == "1:12345678 2! 3:x");
  CHECK(read_all("123456789", 8) == "1!");
  CHECK(read_all("12345678", 8) == "1:12345678");
}

TEST_CASE("line reader: a line of many megabytes is reported, skipped, and costs one buffer") {
  const std::string long_line(9u << 20, 'x');
  CHECK(read_all("a\n" + long_line + "\nb\n" + long_line, 1000) == "1:a 2! 3:b 4!");
}

TEST_CASE("line reader: bytes of any value are part of a line") {
  const std::string bytes("\0\x01\xFF\x7F", 4);
  CHECK(read_all(bytes + "\n" + bytes) == "1:" + bytes + " 2:" + bytes);
}

TEST_CASE("line reader: every cut of the input gives the same lines") {
  std::string text;
  for (int i = 0; i < 5000; ++i)
    text += std::string(static_cast<std::size_t>(i % 97), 'x') + (i % 3 == 0 ? "\r\n" : "\n");
  std::size_t lines = 0;
  piped from(text);
  line_reader reader(from.fd(), -1, 100);
  for (auto line = reader.next(); *line; line = reader.next()) {
    CHECK((*line)->text.size() == ((*line)->number - 1) % 97);
    ++lines;
  }
  CHECK(lines == 5000 - (5000 + 96) / 97);
  CHECK(reader.bytes_done() == text.size());
}

TEST_CASE("line reader: it stops when it is told to, though input may still come") {
  int input[2];
  int stop[2];
  REQUIRE(::pipe(input) == 0);
  REQUIRE(::pipe(stop) == 0);
  line_reader reader(input[0], stop[0]);
  REQUIRE(::write(input[1], "a\nb", 3) == 3);
  CHECK(reader.next().value()->text == "a");
  REQUIRE(::write(stop[1], "", 1) == 1);
  CHECK_FALSE(reader.next().value()); // "b" may be half a line
  CHECK(reader.was_stopped());
  for (const int fd : {input[0], input[1], stop[0], stop[1]})
    ::close(fd);
}

TEST_CASE("line reader: input that cannot be read is an error, once") {
  line_reader reader(::open("/", 0));
  const auto line = reader.next();
  REQUIRE_FALSE(line);
  CHECK(line.error().code == errc::io);
  CHECK_FALSE(reader.next().value());
}
