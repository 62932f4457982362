// Pages are whole without this; with it they are alive.
import { followEvents } from "./live.js";

const { events } = document.body.dataset;
if (events) followEvents(events);

const log = document.querySelector("[data-log]");
if (log) import("./log.js").then(({ openLog }) => openLog(log));

const form = document.querySelector("#submit");
if (form) import("./submit.js").then(({ openForm }) => openForm(form));

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});
