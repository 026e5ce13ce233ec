-- What version 1 runs on: in the database before any deployment starts.
create table if not exists orders (
    id         bigint generated always as identity primary key,
    sku        text not null,
    quantity   integer not null,
    created_at timestamptz not null default now()
);
