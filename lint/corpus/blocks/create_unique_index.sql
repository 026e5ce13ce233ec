CREATE UNIQUE INDEX customers_email ON public.customers (lower(email));
