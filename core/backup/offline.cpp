#include "core/backup/offline.hpp"

#include "core/backup/writer.hpp"
#include "core/engine/data_directory.hpp"

namespace syncline {
namespace {

/// What the storage threads do for a replica that runs.
Result<void> run_jobs(Replica& replica) {
    if (std::optional<Log::Flush> flush = replica.begin_flush()) {
        Result<void> written = flush->write();
        if (written) written = flush->sync();
        replica.finish_flush(*flush, written);
    }
    if (std::optional<Store::Checkpoint> checkpoint = replica.begin_checkpoint()) {
        (void)replica.finish_checkpoint(checkpoint->commit());  // freed here
    }
    (void)replica.committed();  // nobody is connected
    return replica.failure() ? Result<void>(*replica.failure()) : Result<void>();
}

}  // namespace

Result<BackupManifest> backup_directory(const std::string& data, const std::string& backup, Env env,
                                        const BackupTold& told) {
    SYNCLINE_TRY(DataDirectory directory, DataDirectory::open(data, env.random));
    if (directory.identity.cluster.is_nil()) {
        return Error{Code::invalid_argument,
                     "'" + data + "' is of no cluster yet: it holds nothing"};
    }
    SYNCLINE_TRY(const std::unique_ptr<Replica> replica,
                 directory.open_replica(ReplicaOptions(), env));
    SYNCLINE_TRY(const std::unique_ptr<BackupWriter> writer, BackupWriter::create(backup));
    BackupSource source(*replica, env.clock.wall_ms());
    while (!source.finished()) {
        SYNCLINE_TRY(const std::optional<BackupPiece> piece, source.next());
        SYNCLINE_CHECK(run_jobs(*replica));
        if (piece) SYNCLINE_CHECK(writer->write(*piece));
        if (told) told(source.progress());
    }
    SYNCLINE_CHECK(writer->finish(source.manifest()));
    return source.manifest();
}

}  // namespace syncline
