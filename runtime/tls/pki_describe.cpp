// What certificates, lists and keys say, in lines for people.

#include "runtime/tls/certificate.hpp"
#include "runtime/tls/pki.hpp"
#include <openssl/err.h>
#include <openssl/pem.h>

namespace edupulse::pki {
namespace {

using namespace ossl;

constexpr std::int64_t day = 86'400;

std::string line(std::string_view name, const std::string& value) {
  std::string text("  ");
  text.append(name).append(name.size() < 13 ? 13 - name.size() : 1, ' ');
  return text.append(value).append("\n");
}

std::string until(const ASN1_TIME* from, const ASN1_TIME* to, std::int64_t now) {
  std::string text = date_of(from) + " to " + date_of(to);
  const std::int64_t left = unix_of(to) - now;
  if (left <= 0)
    return text + " (EXPIRED)";
  if (unix_of(from) > now)
    return text + " (not yet)";
  return text + " (" + std::to_string((left + day - 1) / day) + " days left)";
}

std::string names_of(const X509* certificate) {
  const names_ptr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  ERR_clear_error();
  std::string text;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(names.get(), i);
    if (one->type != GEN_URI && one->type != GEN_DNS)
      continue;
    text += text.empty() ? "" : ", ";
    text += one->type == GEN_URI ? "URI " : "DNS ";
    text += quote({reinterpret_cast<const char*>(ASN1_STRING_get0_data(one->d.ia5)),
                   static_cast<std::size_t>(ASN1_STRING_length(one->d.ia5))},
                  300);
  }
  return text.empty() ? "none" : text;
}

/// "critical, Digital Signature"; "none" when the extension is missing.
std::string extension_of(const X509* certificate, int kind) {
  const int at = X509_get_ext_by_NID(certificate, kind, -1);
  X509_EXTENSION* extension = at < 0 ? nullptr : X509_get_ext(certificate, at);
  const bio_ptr out(BIO_new(BIO_s_mem()));
  if (extension == nullptr || out == nullptr ||
      X509V3_EXT_print(out.get(), extension, X509V3_EXT_DUMP_UNKNOWN, 0) != 1) {
    ERR_clear_error();
    return "none";
  }
  return (X509_EXTENSION_get_critical(extension) == 1 ? "critical, " : "") + written(out.get());
}

std::string of_certificate(X509* it, std::int64_t now) {
  const auto who = identity_of(it);
  std::string text;
  if (who)
    text = "certificate of node " + quote(who->name, 255) + " in cluster " +
           quote(who->cluster, 255) + "\n";
  else if (X509_check_ca(it) != 0)
    text = "certificate of an authority\n";
  else
    text = "certificate of no node: " + who.error().text + "\n";
  text += line("subject", name_of(X509_get_subject_name(it)));
  text += line("issuer", name_of(X509_get_issuer_name(it)));
  text += line("serial", serial_of(X509_get0_serialNumber(it)));
  text += line("valid", until(X509_get0_notBefore(it), X509_get0_notAfter(it), now));
  text += line("names", names_of(it));
  text += line("constraints", extension_of(it, NID_basic_constraints));
  text += line("key usage", extension_of(it, NID_key_usage));
  text += line("used as", extension_of(it, NID_ext_key_usage));
  text += line("SHA-256", fingerprint_of(it));
  return text;
}

std::string of_list(X509_CRL* it, std::int64_t now) {
  const integer_ptr number(
      static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(it, NID_crl_number, nullptr, nullptr)));
  ERR_clear_error();
  STACK_OF(X509_REVOKED)* all = X509_CRL_get_REVOKED(it);
  const int count = sk_X509_REVOKED_num(all);
  std::string text = "list of revoked certificates\n";
  text += line("issuer", name_of(X509_CRL_get_issuer(it)));
  text += line("number", number == nullptr ? "none" : "0x" + serial_of(number.get()));
  text += line("valid", until(X509_CRL_get0_lastUpdate(it), X509_CRL_get0_nextUpdate(it), now));
  text += line("revoked", count > 0 ? std::to_string(count) : "none");
  for (int i = 0; i < count; ++i) {
    const X509_REVOKED* one = sk_X509_REVOKED_value(all, i);
    text += line("", serial_of(X509_REVOKED_get0_serialNumber(one)) + " on " +
                         date_of(X509_REVOKED_get0_revocationDate(one)));
  }
  return text;
}

} // namespace

expected<std::string> describe(named_text what, std::int64_t now) {
  const auto holds = [&](std::string_view mark) {
    return what.text.find(mark) != std::string_view::npos;
  };
  std::string text;
  if (holds("-----BEGIN CERTIFICATE-----")) {
    const auto found = read_certificates({what.text, what.name});
    if (!found)
      return tl::unexpected(found.error());
    for (const auto& one : *found)
      text += of_certificate(one.get(), now);
  }
  if (holds("-----BEGIN X509 CRL-----")) {
    const auto found = read_crls({what.text, what.name});
    if (!found)
      return tl::unexpected(found.error());
    for (const auto& one : *found)
      text += of_list(one.get(), now);
  }
  if (holds("PRIVATE KEY-----")) {
    const auto key = read_key({what.text, what.name});
    if (!key)
      return tl::unexpected(key.error());
    const char* kind = EVP_PKEY_get0_type_name(key->get());
    text += std::string("private key, ") + (kind != nullptr ? kind : "of an unknown kind") + ", " +
            std::to_string(EVP_PKEY_get_bits(key->get())) + " bits\n";
  }
  if (text.empty())
    return fail(errc::refused, std::string(what.name) +
                                   " holds no certificate, list or key in PEM form: is it the "
                                   "right file?");
  return text;
}

} // namespace edupulse::pki
