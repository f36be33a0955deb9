/** Files that wrangler.toml [[rules]] bundles as text. */
declare module "*.sql" {
  const text: string;
  export default text;
}
declare module "*.xgb" {
  const text: string;
  export default text;
}
