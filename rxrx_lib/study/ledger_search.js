/* Hides rows of the tables `ledger` that lack a typed word, and says how many are left. Without this
   script the box stays hidden and the tables are whole. */
(function () {
  "use strict";

  /* Case, accents, and kinds of spaces and of minus signs do not count. */
  function plain(text) {
    return text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").replace(/\u2212/g, "-")
      .toLowerCase().replace(/\s+/g, " ");
  }

  function shownOf(table, words) {
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) {
      const text = plain(row.textContent);
      row.hidden = !words.every((word) => text.includes(word));
    }
    return rows.filter((row) => !row.hidden).length + " of " + rows.length;
  }

  function start(box) {
    const field = box.querySelector("input"), said = box.querySelector("[role=status]");
    const names = JSON.parse(box.dataset.names);
    field.addEventListener("input", () => {
      const words = (plain(field.value).match(/"[^"]+"|[^\s"]+/g) || [])
        .map((word) => word.replace(/"/g, ""));
      const counts = [...document.querySelectorAll("table.ledger")].map((table, k) =>
        shownOf(table, words) + " " + names[k]);
      said.textContent = "Shown: " + counts.join(", ") + ".";
    });
    box.hidden = false;
  }

  /* In JupyterLab the script may run just before its output is in the page. */
  (function startAll(tries) {
    const waiting = document.querySelectorAll(".ledger-search[hidden]");
    waiting.forEach(start);
    if (!waiting.length && tries) requestAnimationFrame(() => startAll(tries - 1));
  })(20);
})();
