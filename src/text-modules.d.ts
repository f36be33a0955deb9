/** Files that wrangler.toml [[rules]] bundles as text. */
declare module "*.sql" {
  const text: string;
  export default text;
}
declare module "*/champion.json" {
  const text: string;
  export default text;
}
