#include "storage/base.hpp"

namespace syncline {

BaseChangeViews views_of(const BaseChanges& changes) {
    BaseChangeViews views;
    for (std::size_t table = 0; table < tables_count; ++table) {
        views[table].reserve(changes[table].size());
        for (const auto& [key, value] : changes[table]) {
            views[table].push_back(RowChangeView{key, value});
        }
    }
    return views;
}

}  // namespace syncline
