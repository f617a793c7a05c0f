#include "runtime/tls/sha256.hpp"

#include "runtime/tls/openssl.hpp"
#include <openssl/evp.h>
#include <openssl/sha.h>

namespace edupulse {

std::string sha256_of(std::string_view bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  if (EVP_Digest(bytes.data(), bytes.size(), digest, nullptr, EVP_sha256(), nullptr) != 1)
    return {}; // without memory; an empty one is in no list
  return ossl::hex(digest, sizeof digest);
}

} // namespace edupulse
