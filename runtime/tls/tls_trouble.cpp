// Why a session failed, for people: OpenSSL's codes say what, and not what to do.

#include "runtime/tls/tls_engine.hpp"
#include <openssl/err.h>

namespace edupulse {
namespace {

/// OpenSSL adds this to the number of an alert that came in.
constexpr int alert_offset = SSL_AD_REASON_OFFSET;

struct meaning {
  int code;
  errc kind;
  const char* text;
};

constexpr meaning alerts[] = {
    {SSL_AD_BAD_CERTIFICATE, errc::refused,
     "it does not accept who we are: its log says why; the cluster's name may differ"},
    {SSL_AD_CERTIFICATE_REVOKED, errc::refused, "our certificate is revoked: issue a new one"},
    {SSL_AD_CERTIFICATE_EXPIRED, errc::refused,
     "our certificate has expired, or its CRL: compare the clocks, then issue a new one"},
    {SSL_AD_UNKNOWN_CA, errc::refused,
     "it does not trust the authority that issued our certificate: compare the CA files"},
    {SSL_AD_CERTIFICATE_REQUIRED, errc::refused, "it asks for a certificate and got none"},
    {SSL_AD_PROTOCOL_VERSION, errc::malformed, "it does not speak TLS 1.3"},
};

constexpr meaning reasons[] = {
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, errc::refused,
     "the peer showed no certificate: it needs one of this cluster"},
    {SSL_R_HTTP_REQUEST, errc::malformed, "the peer speaks HTTP: this port is for nodes"},
    {SSL_R_HTTPS_PROXY_REQUEST, errc::malformed, "the peer speaks HTTP: this port is for nodes"},
    {SSL_R_WRONG_VERSION_NUMBER, errc::malformed,
     "the peer does not speak TLS: it is a node without TLS, or no node"},
    {SSL_R_UNSUPPORTED_PROTOCOL, errc::malformed, "the peer does not speak TLS 1.3"},
    {SSL_R_EXCESSIVE_MESSAGE_SIZE, errc::too_large,
     "the peer sent a handshake message that is too large: its certificates may have at most "
     "12 KiB"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, errc::malformed, "the peer sent a record that is too large"},
    {SSL_R_ENCRYPTED_LENGTH_TOO_LONG, errc::malformed, "the peer sent a record that is too large"},
    {SSL_R_DATA_LENGTH_TOO_LONG, errc::malformed, "the peer sent a record that is too large"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, errc::malformed,
     "bytes were changed on their way, or somebody else wrote into the connection"},
};

error alert_error(int number) {
  for (const auto& one : alerts)
    if (one.code == number)
      return {one.kind, std::string("the peer ended the TLS session: ") + one.text};
  return {errc::refused, std::string("the peer ended the TLS session: ") +
                             SSL_alert_desc_string_long(number) + " (alert " +
                             std::to_string(number) + ")"};
}

} // namespace

error tls_session::engine::describe(int result) {
  if (refusal)
    return *refusal;
  if (too_much && at == state::handshaking && !peer)
    return {errc::too_large, "the peer sent more than " + std::to_string(limits.handshake_bytes) +
                                 " bytes before it said who it is"};
  if (too_much)
    return {errc::too_large, "the peer asks for new keys again and again, and sends nothing"};
  const int kind = SSL_get_error(ssl.get(), result);
  const unsigned long code = ERR_peek_error();
  if (kind != SSL_ERROR_SSL || ERR_GET_LIB(code) != ERR_LIB_SSL)
    return {kind == SSL_ERROR_SSL ? errc::malformed : errc::io,
            "the TLS session cannot go on: " + ossl::reason()};
  const int reason = ERR_GET_REASON(code);
  if (reason > alert_offset && reason <= alert_offset + 255)
    return alert_error(reason - alert_offset);
  for (const auto& one : reasons)
    if (one.code == reason)
      return {one.kind, one.text};
  return {errc::malformed, "the peer's bytes are not the TLS that is asked for: " + ossl::reason()};
}

} // namespace edupulse
