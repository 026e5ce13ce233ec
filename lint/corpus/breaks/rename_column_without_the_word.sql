alter table public.orders rename note to remark;
