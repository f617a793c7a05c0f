#include "runtime/sources/malformed.hpp"

#include "schemas/utf8.hpp"
#include <algorithm>

namespace edupulse {

namespace {

std::string text_of(capnp::Text::Reader from) { return {from.begin(), from.size()}; }

capnp::Data::Reader as_data(std::string_view text) {
  return {reinterpret_cast<const kj::byte*>(text.data()), text.size()};
}

/// Names and headers of brokers may be any bytes, and Text is UTF-8.
class text_writer {
public:
  explicit text_writer(std::size_t most) : most_(most) {}
  std::string operator()(std::string_view text) {
    if (text.size() <= most_ && is_utf8(text))
      return std::string(text);
    cut_ += text.size();
    return quote(text, std::min<std::size_t>(most_, 1024));
  }
  /// Bytes of texts that are not there as they were.
  std::size_t cut() const noexcept { return cut_; }

private:
  const std::size_t most_;
  std::size_t cut_ = 0;
};

} // namespace

void write_malformed(const inbound_message& what, std::string_view source, std::string_view problem,
                     const malformed_limits& limits, SourceMalformed::Builder to) {
  text_writer text(limits.text);
  to.setProblem(text_writer(limits.text)(problem));
  to.setSource(std::string(source));
  to.setPlace(text(what.place));
  to.setTopic(text(what.topic));
  to.setContentType(text(what.content_type));
  to.setKey(text(what.key));
  auto headers =
      to.initHeaders(static_cast<unsigned>(std::min(what.headers.size(), limits.headers)));
  for (unsigned i = 0; i < headers.size(); ++i) {
    headers[i].setName(text(what.headers[i].first));
    headers[i].setValue(text(what.headers[i].second));
  }
  const auto kept = std::string_view(what.body).substr(0, limits.body);
  to.setCut(what.body.size() - kept.size() + what.headers.size() - headers.size() + text.cut());
  if (is_utf8(kept) && kept.find('\0') == kept.npos)
    to.getBody().setText(std::string(kept));
  else
    to.getBody().setBytes(as_data(kept));
}

expected<inbound_message> read_malformed(SourceMalformed::Reader from) {
  if (from.getCut() > 0)
    return fail(errc::refused, text_of(from.getProblem()) +
                                   "; and it cannot be read again: it was too large, or no text, "
                                   "and of what it was " +
                                   std::to_string(from.getCut()) + " bytes are missing");
  inbound_message made;
  made.place = text_of(from.getPlace());
  made.topic = text_of(from.getTopic());
  made.content_type = text_of(from.getContentType());
  made.key = text_of(from.getKey());
  for (const auto one : from.getHeaders())
    made.headers.emplace_back(text_of(one.getName()), text_of(one.getValue()));
  if (from.getBody().isText()) {
    made.body = text_of(from.getBody().getText());
  } else {
    const auto bytes = from.getBody().getBytes();
    made.body.assign(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
  }
  return made;
}

} // namespace edupulse
