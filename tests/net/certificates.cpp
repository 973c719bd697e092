#include "tests/net/certificates.hpp"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <utility>

#include "core/base/assert.hpp"

namespace syncline::test {
namespace {

struct FileCloser {
    void operator()(std::FILE* file) const { (void)std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

File create(const std::filesystem::path& path) {
    File file(std::fopen(path.c_str(), "w"));
    SYNCLINE_ASSERT(file != nullptr);
    return file;
}

void extend(X509* certificate, X509* signer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    SYNCLINE_ASSERT(extension != nullptr);
    SYNCLINE_ASSERT(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/// Signed by `signer`; by itself if there is none.
Issued make(const Wanted& wanted, const Issued* signer) {
    static long number = 1;
    Issued issued;
    issued.key.reset(wanted.rsa_bits > 0 ? EVP_RSA_gen(wanted.rsa_bits) : EVP_EC_gen("P-256"));
    issued.certificate.reset(X509_new());
    SYNCLINE_ASSERT(issued.key != nullptr && issued.certificate != nullptr);
    X509* const made = issued.certificate.get();
    const Issued& by = signer != nullptr ? *signer : issued;
    X509_set_version(made, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made), number++);
    X509_gmtime_adj(X509_getm_notBefore(made), wanted.from_s);
    X509_gmtime_adj(X509_getm_notAfter(made), wanted.until_s);
    X509_set_pubkey(made, issued.key.get());
    const auto* const name = reinterpret_cast<const unsigned char*>(wanted.name.c_str());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8, name, -1, -1, 0);
    X509_set_issuer_name(made, X509_get_subject_name(by.certificate.get()));
    X509* const by_certificate = by.certificate.get();
    extend(made, by_certificate, NID_basic_constraints,
           wanted.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!wanted.purposes.empty() && !wanted.authority) {
        extend(made, by_certificate, NID_ext_key_usage, wanted.purposes);
    }
    if (wanted.alternative_name && !wanted.authority) {
        extend(made, by_certificate, NID_subject_alt_name, "DNS:" + wanted.name);
    }
    const EVP_MD* const hash = wanted.sha1 ? EVP_sha1() : EVP_sha256();
    SYNCLINE_ASSERT(X509_sign(made, by.key.get(), hash) > 0);
    return issued;
}

}  // namespace

void KeyFreer::operator()(EVP_PKEY* key) const {
    EVP_PKEY_free(key);
}

void CertificateFreer::operator()(X509* certificate) const {
    X509_free(certificate);
}

Authority::Authority(std::filesystem::path directory, const std::string& name)
    : Authority(std::move(directory), name, make({.name = name, .authority = true}, nullptr)) {}

Authority::Authority(std::filesystem::path directory, const std::string& name, Issued signer)
    : directory_(std::move(directory)), name_(name), own_(std::move(signer)) {}

Issued Authority::issue(const Wanted& wanted) const {
    return make(wanted, &own_);
}

Issued Authority::issue_self_signed(const Wanted& wanted) {
    return make(wanted, nullptr);
}

void Authority::revoke(const Issued& issued) {
    revoked_.push_back(ASN1_INTEGER_get(X509_get0_serialNumber(issued.certificate.get())));
}

TlsFiles Authority::write(const std::string& name, const Issued& issued,
                          const std::vector<const Issued*>& between) const {
    const TlsFiles files{directory_ / (name + ".crt"), directory_ / (name + ".key"),
                         directory_ / (name_ + ".ca"), ""};
    const File certificate = create(files.certificate);
    PEM_write_X509(certificate.get(), issued.certificate.get());
    for (const Issued* const one : between) {
        PEM_write_X509(certificate.get(), one->certificate.get());
    }
    const File key = create(files.key);
    std::filesystem::permissions(
        files.key, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    PEM_write_PrivateKey(key.get(), issued.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    PEM_write_X509(create(files.authority).get(), own_.certificate.get());
    return files;
}

std::string Authority::write_revoked() const {
    X509_CRL* const list = X509_CRL_new();
    X509_CRL_set_version(list, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(own_.certificate.get()));
    ASN1_TIME* const time = ASN1_TIME_new();
    X509_gmtime_adj(time, -60);
    X509_CRL_set1_lastUpdate(list, time);
    for (const long number : revoked_) {
        X509_REVOKED* const entry = X509_REVOKED_new();
        ASN1_INTEGER* const serial = ASN1_INTEGER_new();
        ASN1_INTEGER_set(serial, number);
        X509_REVOKED_set_serialNumber(entry, serial);
        X509_REVOKED_set_revocationDate(entry, time);
        X509_CRL_add0_revoked(list, entry);  // it owns the entry from here on
        ASN1_INTEGER_free(serial);
    }
    X509_gmtime_adj(time, 3600);
    X509_CRL_set1_nextUpdate(list, time);
    ASN1_TIME_free(time);
    X509_CRL_sort(list);
    SYNCLINE_ASSERT(X509_CRL_sign(list, own_.key.get(), EVP_sha256()) > 0);
    const std::filesystem::path path = directory_ / (name_ + ".crl");
    PEM_write_X509_CRL(create(path).get(), list);
    X509_CRL_free(list);
    return path;
}

}  // namespace syncline::test
