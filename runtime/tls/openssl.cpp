#include "runtime/tls/openssl.hpp"
#include "schemas/error.hpp"
#include <cstdio>
#include <ctime>
#include <openssl/err.h>

namespace edupulse::ossl {

std::string reason() {
  const unsigned long code = ERR_peek_error();
  const char* said = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string text = said != nullptr ? said : "no reason given";
  if (code != 0 && said == nullptr)
    text = "error " + std::to_string(code);
  ERR_clear_error();
  return text;
}

bio_ptr reader(std::string_view text) {
  return bio_ptr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string written(BIO* to) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(to, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

std::int64_t unix_of(const ASN1_TIME* when) {
  std::tm parts{};
  if (when == nullptr || ASN1_TIME_to_tm(when, &parts) != 1)
    return 0;
  return timegm(&parts);
}

std::string date_of(const ASN1_TIME* when) {
  std::tm parts{};
  char text[64];
  if (when == nullptr || ASN1_TIME_to_tm(when, &parts) != 1 ||
      std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
    return "a date that cannot be read";
  return text;
}

std::string name_of(const X509_NAME* name) {
  const bio_ptr out(BIO_new(BIO_s_mem()));
  if (name == nullptr || out == nullptr ||
      X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) < 0)
    return quote("");
  return quote(written(out.get()), 128);
}

std::string hex(const unsigned char* bytes, std::size_t count) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(count * 2);
  for (std::size_t i = 0; i < count; ++i) {
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 0xf];
  }
  return text;
}

std::string serial_of(const ASN1_INTEGER* number) {
  return hex(ASN1_STRING_get0_data(number), static_cast<std::size_t>(ASN1_STRING_length(number)));
}

} // namespace edupulse::ossl
