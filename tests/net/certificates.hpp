#pragma once
#include <openssl/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "net/tls.hpp"

namespace syncline::test {

struct KeyFreer {
    void operator()(EVP_PKEY* key) const;
};
struct CertificateFreer {
    void operator()(X509* certificate) const;
};

/// A certificate and its key.
struct Issued {
    std::unique_ptr<EVP_PKEY, KeyFreer> key;
    std::unique_ptr<X509, CertificateFreer> certificate;
};

/// What a certificate says; as it is here, one that peers believe.
struct Wanted {
    std::string name;                                ///< of the node
    long from_s = -3600;                             ///< from now
    long until_s = 3600;                             ///< from now
    std::string purposes = "serverAuth,clientAuth";  ///< extended key usage
    bool authority = false;                          ///< may sign others
    unsigned rsa_bits = 0;                           ///< 0: a key of the curve P-256
    bool sha1 = false;                               ///< signed with a hash of yesterday
    bool alternative_name = true;                    ///< else the common name alone
};

/// Signs certificates, takes them back, and writes all as the files that TlsContext reads.
class Authority {
public:
    /// Files go to `directory`, which must be there.
    Authority(std::filesystem::path directory, const std::string& name);
    /// One that another has signed, or anybody who may not.
    Authority(std::filesystem::path directory, const std::string& name, Issued signer);

    [[nodiscard]] Issued issue(const Wanted& wanted) const;
    /// Signed with its own key, and by nobody else.
    [[nodiscard]] static Issued issue_self_signed(const Wanted& wanted);
    void revoke(const Issued& issued);

    /// Files of a node with this certificate: names begin with `name`. `between`: certificates that
    /// lead from it to the authority.
    [[nodiscard]] TlsFiles write(const std::string& name, const Issued& issued,
                                 const std::vector<const Issued*>& between = {}) const;
    /// Writes the list of what is revoked now; its name.
    [[nodiscard]] std::string write_revoked() const;
    [[nodiscard]] const Issued& own() const { return own_; }

private:
    std::filesystem::path directory_;
    std::string name_;
    Issued own_;
    std::vector<long> revoked_;  // by number
};

}  // namespace syncline::test
