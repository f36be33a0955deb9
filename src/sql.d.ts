/** Migrations of Durable Objects are bundled as text (wrangler.toml [[rules]]). */
declare module "*.sql" {
  const text: string;
  export default text;
}
